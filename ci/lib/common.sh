# shellcheck shell=bash
# Shared by the scripts in ci/; to be sourced.

# Debian keeps mke2fs, sgdisk and the like off the path of ordinary users.
PATH=$PATH:/usr/sbin:/sbin

# Progress goes to stderr, so that stdout stays free for results.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# One field of /etc/os-release, for example `os_field VERSION_CODENAME`.
os_field() (
    . /etc/os-release
    printf '%s\n' "${!1-}"
)

# The machine's own package sources for the given suites, in one-line format.
# apt parses its configuration itself, so both file formats work, and no mirror
# has to be named here. The distribution's keyring is named outright, for not
# every machine trusts its own archive in /etc/apt/trusted.gpg.d.
apt_sources() { # SUITE…
    local id keyring option='' suite
    id=$(os_field ID)
    keyring=/usr/share/keyrings/$id-archive-keyring.gpg
    [[ -r $keyring ]] && option="[signed-by=$keyring] "
    for suite; do
        apt-get indextargets --format "\$(SITE) \$(RELEASE) \$(COMPONENT)" \
            'Created-By: Packages' "Release: $suite" |
            awk -v option="$option" '!seen[$0]++ { print "deb " option $0 }'
    done
}
