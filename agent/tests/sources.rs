//! Every source of an env but the media, which `boot.rs` has.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod machine;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bootwright_seed::report::{Report, State};
use machine::server::{Request, Server};
use machine::{ENV, Machine, cidata, odd_medium};

fn kind(report: &Report) -> &str {
    &report.source.as_ref().unwrap_or_else(|| panic!("{report:?}")).kind
}

fn tried<'a>(report: &'a Report, place: &str) -> &'a str {
    let found = report.tried.iter().find(|tried| tried.place == place);
    &found.unwrap_or_else(|| panic!("{place} is not in {report:?}")).outcome
}

#[test]
fn a_local_file_wins_and_loses_its_loose_mode() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.file("/app/env.yml", ENV);
    fs::set_permissions(machine.path("/app/env.yml"), fs::Permissions::from_mode(0o640)).unwrap();
    let report = machine.boot();
    assert_eq!(kind(&report), "file");
    assert_eq!(report.source.unwrap().device, "/app/env.yml");
    assert!(report.warnings[0].starts_with("env.yml holds secrets and had mode 0640"));
    assert_eq!(machine.boot().warnings, Vec::<String>::new());
}

/// Upstream passed over a missing file in silence (domain.md B31).
#[test]
fn b31_the_file_that_env_yml_names_comes_first_and_has_to_be_there() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.file("/root/env.yml", ENV);
    let boot = |path: &str| {
        machine.command(&["boot"]).env("ENV_YML", path).output().unwrap();
        machine.report()
    };
    assert_eq!(kind(&boot("/root/env.yml")), "env-yml");
    let report = boot("/root/missing.yml");
    assert_eq!(report.state, State::Failed);
    assert!(
        report.error.unwrap().contains("ENV_YML names /root/missing.yml, which cannot be read")
    );
}

fn smbios(strings: &[&[u8]]) -> Vec<u8> {
    let mut table = vec![11, 5, 0, 0, u8::try_from(strings.len()).unwrap()];
    for string in strings {
        table.extend(*string);
        table.push(0);
    }
    table.push(0);
    table
}

#[test]
fn firmware_and_the_service_manager_hand_an_env_over() {
    let credential = [&b"io.systemd.credential:bootwright.env="[..], ENV].concat();
    let table = smbios(&[b"other", &credential]);
    let machine = Machine::new();
    machine.file("/sys/firmware/dmi/tables/DMI", &table);
    let report = machine.boot();
    assert_eq!((kind(&report), machine.env().unwrap()), ("smbios", ENV.to_vec()));

    let machine = Machine::new();
    machine.file("/sys/firmware/dmi/entries/1-0/raw", &smbios(&[]));
    machine.file("/sys/firmware/dmi/entries/11-0/raw", &table);
    assert_eq!(kind(&machine.boot()), "smbios");

    let machine = Machine::new();
    machine.file("/sys/firmware/qemu_fw_cfg/by_name/opt/org.bootwright/env/raw", ENV);
    let report = machine.boot();
    assert_eq!(kind(&report), "fw-cfg");
    assert_eq!(tried(&report, "smbios"), "the firmware has no SMBIOS table");

    let machine = Machine::new();
    machine.file("/run/credentials/@system/bootwright.env", ENV);
    assert_eq!(kind(&machine.boot()), "credential");
}

#[test]
fn a_bad_env_in_the_firmware_is_not_passed_over() {
    let machine = Machine::new();
    machine.device("sr0", &cidata());
    machine.file(
        "/sys/firmware/dmi/tables/DMI",
        &smbios(&[b"io.systemd.credential:bootwright.env=a: 1"]),
    );
    let report = machine.boot();
    assert_eq!(report.state, State::Failed);
    let error = report.error.as_ref().unwrap();
    assert!(error.starts_with("the user-data on SMBIOS cannot be used; correct it"), "{error}");
    assert_eq!(tried(&report, "smbios"), "refused");
    assert_eq!(
        tried(&report, "/dev/sr0"),
        "iso9660, label cidata: not used, smbios on smbios comes first"
    );
}

#[test]
fn guestinfo_through_the_tools_and_the_report_back() {
    let machine = Machine::new();
    machine.dmi("VMware, Inc.", "VMware7,1", "u");
    let report = machine.boot();
    assert!(tried(&report, "vmware").contains("neither vmware-rpctool nor vmtoolsd"));
    machine.script(
        "/usr/bin/vmware-rpctool",
        &format!(
            "case $1 in 'info-get guestinfo.userdata') echo I2Nsb3VkLWNvbmZpZwphOiAxCg==;;\n\
             'info-get guestinfo.userdata.encoding') echo base64;;\n\
             info-set*) echo \"$1\" >{};; *) exit 1;; esac",
            machine.path("/said").display()
        ),
    );
    let report = machine.boot();
    assert_eq!(kind(&report), "vmware");
    assert_eq!(machine.env().unwrap(), b"#cloud-config\na: 1\n");
    let said = machine.text("/said");
    assert!(
        said.starts_with("info-set guestinfo.bootwright.report {\"schema\":1,\"state\":\"active\"")
    );
}

#[test]
fn an_ovf_environment_on_a_medium() {
    let xml =
        br#"<Environment xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>
        <Property oe:key="user-data" oe:value="I2Nsb3VkLWNvbmZpZwphOiAxCg=="/>
        <Property oe:key="instance-id" oe:value="i-7"/></PropertySection></Environment>"#;
    let machine = Machine::new();
    machine.device("sr0", &odd_medium("OVF ENV", &[("ovf-env.xml", xml)]));
    let report = machine.boot();
    assert_eq!((kind(&report), report.instance_id.as_deref()), ("ovf", Some("i-7")));
    machine.device("sr0", &odd_medium("OVF ENV", &[("other", b"")]));
    let report = machine.boot();
    assert_eq!(report.state, State::Failed);
    assert!(report.error.unwrap().contains("ovf-env.xml is missing on /dev/sr0"));
}

/// A machine in the cloud of `server`.
fn in_cloud(server: &Server, cloud: &str, vendor: &str, product: &str) -> Machine {
    let machine = Machine::new();
    machine.dmi(vendor, product, "0a");
    machine.config(&format!(
        "wait_seconds: 0\nmetadata: {{wait_seconds: 3, base: {{{cloud}: \"{}\"}}}}\n",
        server.base
    ));
    machine
}

fn answers(
    request: &Request,
    pages: &[(&str, &'static [u8])],
) -> (u16, &'static str, &'static [u8]) {
    match pages.iter().find(|(path, _)| *path == request.path) {
        Some((_, body)) if request.method == "GET" => (200, "", body),
        _ => (404, "", b""),
    }
}

/// Upstream never used any metadata server (domain.md B28), and spoke no IMDSv2 (B31).
#[test]
fn b28_b31_ec2_with_a_token_in_the_second_stage() {
    let server = Server::start(|request| {
        let token = request.header("x-aws-ec2-metadata-token");
        match (request.method.as_str(), request.path.as_str(), token) {
            ("PUT", "/latest/api/token", _) => (200, "", b"TOKEN"),
            ("GET", "/latest/user-data", Some("TOKEN")) => (200, "", ENV),
            ("GET", "/latest/meta-data/instance-id", Some("TOKEN")) => (200, "", b"i-0abc"),
            _ => (401, "", b""),
        }
    });
    let machine = in_cloud(&server, "ec2", "Amazon EC2", "t3.nano");
    // The first stage asks nobody and has no last word.
    let (code, _, _) = machine.run(&["boot"]);
    assert_eq!((code, server.seen().len()), (3, 0));
    assert_eq!(machine.text("/dev/console"), "");
    assert!(machine.has("/run/bootwright/seek-network") && !machine.has("/run/bootwright/watch"));
    let report = machine.boot_with(&["boot", "--network"]);
    assert_eq!((kind(&report), report.instance_id.as_deref()), ("ec2", Some("i-0abc")));
    assert_eq!(machine.env().unwrap(), ENV);
    assert!(!machine.has("/run/bootwright/seek-network"));
    assert!(machine.text("/dev/console").contains("state=active source=ec2"));
}

#[test]
fn ec2_version_1_and_no_user_data() {
    let old = Server::start(|request| answers(request, &[("/latest/user-data", ENV)]));
    let machine = in_cloud(&old, "ec2", "Amazon EC2", "t2.nano");
    assert_eq!(kind(&machine.boot_with(&["boot", "--network"])), "ec2");
    let empty = Server::start(|request| answers(request, &[]));
    let machine = in_cloud(&empty, "ec2", "Amazon EC2", "t2.nano");
    let report = machine.boot_with(&["boot", "--network"]);
    assert_eq!(report.state, State::Unconfigured);
    assert_eq!(tried(&report, "ec2"), "the server has no user-data for this machine");
    assert_eq!(tried(&report, "gce"), "not asked, this is Amazon EC2 t2.nano");
    assert!(machine.has("/run/bootwright/watch"));
}

#[test]
fn gce_openstack_and_azure() {
    let gce = Server::start(|request| {
        let (status, _, body) = answers(
            request,
            &[
                ("/computeMetadata/v1/instance/attributes/user-data", ENV),
                ("/computeMetadata/v1/instance/id", b"42"),
            ],
        );
        match request.header("metadata-flavor") {
            Some("Google") => (status, "Metadata-Flavor: Google\r\n", body),
            _ => (403, "", b""),
        }
    });
    let machine = in_cloud(&gce, "gce", "Google", "Google Compute Engine");
    let report = machine.boot_with(&["boot", "--network"]);
    assert_eq!((kind(&report), report.instance_id.as_deref()), ("gce", Some("42")));

    let stack = Server::start(|request| {
        answers(
            request,
            &[
                ("/openstack/latest/user_data", ENV),
                ("/openstack/latest/meta_data.json", b"{\"uuid\": \"u-1\", \"x\": 1}"),
            ],
        )
    });
    let machine = in_cloud(&stack, "openstack", "OpenStack Foundation", "OpenStack Nova");
    let report = machine.boot_with(&["boot", "--network"]);
    assert_eq!((kind(&report), report.instance_id.as_deref()), ("openstack", Some("u-1")));

    let azure = Server::start(|request| {
        let query = "?api-version=2021-01-01&format=text";
        let path = request.path.strip_suffix(query).unwrap_or_default();
        match (request.header("metadata"), path) {
            (Some("true"), "/metadata/instance/compute/userData") => {
                (200, "", b"I2Nsb3VkLWNvbmZpZwphOiAxCg==")
            }
            (Some("true"), "/metadata/instance/compute/vmId") => (200, "", b"vm-1"),
            _ => (400, "", b""),
        }
    });
    let machine = in_cloud(&azure, "azure", "Microsoft Corporation", "Virtual Machine");
    machine.file("/sys/class/dmi/id/chassis_asset_tag", b"7783-7084-3265-9085-8269-3286-77\n");
    let report = machine.boot_with(&["boot", "--network"]);
    assert_eq!((kind(&report), report.instance_id.as_deref()), ("azure", Some("vm-1")));
    assert_eq!(machine.env().unwrap(), b"#cloud-config\na: 1\n");
}

/// A loop without end in one system (domain.md B72): every wait is bounded here.
#[test]
fn b72_a_server_that_does_not_answer_is_a_failure_in_time() {
    let busy = Server::start(|_| (503, "", b"later"));
    let machine = in_cloud(&busy, "openstack", "x", "OpenStack Nova");
    let started = std::time::Instant::now();
    let report = machine.boot_with(&["boot", "--network"]);
    assert!(started.elapsed().as_secs() < 6);
    assert!(busy.seen().len() > 2, "it was asked again");
    let error = report.error.unwrap();
    assert!(error.starts_with("the openstack metadata server at http://127.0.0.1:"), "{error}");
    assert!(error.contains("the server answers 503"), "{error}");
}

/// A redirect could lead the machine to anybody's user-data.
#[test]
fn redirects_are_not_followed() {
    let evil = Server::start(|request| match request.path.as_str() {
        "/evil" => (200, "", ENV),
        _ => (302, "Location: /evil\r\n", b""),
    });
    let machine = in_cloud(&evil, "openstack", "x", "OpenStack Nova");
    let report = machine.boot_with(&["boot", "--network"]);
    assert_eq!(report.state, State::Failed);
    assert!(report.error.unwrap().contains("answers 302"));
    assert!(!evil.seen().contains(&"GET /evil".to_owned()));
}
