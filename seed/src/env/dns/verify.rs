//! Asks a resolver whether the records are there: over UDP, over TCP if an answer is cut off.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use rand::RngCore;
use rand::rngs::OsRng;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use super::{Data, Record, Records};

/// How long to wait for an answer, and how often to ask.
const WAIT: Duration = Duration::from_secs(3);
const TRIES: usize = 2;
/// Largest answer over UDP without EDNS (RFC 1035 4.2.1), with room to spare.
const UDP: usize = 4096;

/// Why a resolver could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It does not answer.
    #[error("the resolver {resolver} does not answer for {name}")]
    Io {
        /// Its address.
        resolver: SocketAddr,
        /// What was asked.
        name: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It answers that it cannot, or nothing that can be read.
    #[error("the resolver {resolver} answers {answer} for {name}")]
    Refused {
        /// Its address.
        resolver: SocketAddr,
        /// What was asked.
        name: String,
        /// What it says.
        answer: String,
    },
}

/// What came of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The record that is wanted.
    pub record: Record,
    /// Whether it is there.
    pub found: bool,
    /// What is there and contradicts it.
    pub others: Vec<String>,
}

impl Finding {
    /// Whether the record is there and nothing contradicts it.
    #[must_use]
    pub fn good(&self) -> bool {
        self.found && self.others.is_empty()
    }
}

/// Asks `resolver` for every record.
///
/// # Errors
/// A resolver that does not answer, or not with what can be read.
pub fn verify(records: &Records, resolver: SocketAddr) -> Result<Vec<Finding>, VerifyError> {
    let all = || records.forward.iter().chain(&records.reverse);
    all()
        .map(|record| {
            let there = ask(resolver, &record.name, &record.data)?;
            let wanted = |data: &Data| all().any(|r| r.name == record.name && r.data == *data);
            let others =
                there.iter().filter(|data| !wanted(data) && contradicts(&record.data, data));
            let others = others.map(Data::value).collect();
            Ok(Finding { record: record.clone(), found: there.contains(&record.data), others })
        })
        .collect()
}

/// Whether a record beside the wanted one changes what it says. Texts of other kinds may stand
/// at the same name; a second SPF record makes both void (RFC 7208 4.5).
fn contradicts(wanted: &Data, other: &Data) -> bool {
    match (wanted, other) {
        (Data::Txt(wanted), Data::Txt(other)) => {
            let tag = |text: &str| text.split([';', ' ']).next().unwrap_or_default().to_lowercase();
            tag(wanted) == tag(other)
        }
        _ => true,
    }
}

/// What is there under a name, of the kind of `like`.
fn ask(resolver: SocketAddr, name: &str, like: &Data) -> Result<Vec<Data>, VerifyError> {
    let refused = |answer: String| VerifyError::Refused { resolver, name: name.to_owned(), answer };
    let kind = match like {
        Data::A(_) => TYPE::A,
        Data::Aaaa(_) => TYPE::AAAA,
        Data::Mx(..) => TYPE::MX,
        Data::Txt(_) => TYPE::TXT,
        Data::Ptr(_) => TYPE::PTR,
    };
    let mut id = [0; 2];
    OsRng.fill_bytes(&mut id);
    let mut query = Packet::new_query(u16::from_be_bytes(id));
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let question = Name::new(name).map_err(|error| refused(error.to_string()))?;
    query.questions.push(Question::new(
        question,
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    let query = query.build_bytes_vec().map_err(|error| refused(error.to_string()))?;
    let io = |source| VerifyError::Io { resolver, name: name.to_owned(), source };
    let mut answer = over_udp(resolver, &query).map_err(io)?;
    if Packet::parse(&answer).is_ok_and(|packet| packet.has_flags(PacketFlag::TRUNCATION)) {
        answer = over_tcp(resolver, &query).map_err(io)?;
    }
    let packet =
        Packet::parse(&answer).map_err(|error| refused(format!("what is no DNS ({error})")))?;
    match packet.rcode() {
        RCODE::NoError | RCODE::NameError => {}
        code => return Err(refused(format!("{code:?}"))),
    }
    Ok(packet
        .answers
        .into_iter()
        .filter_map(|record| data(record.rdata))
        .filter(|data| data.kind() == like.kind())
        .collect())
}

fn data(rdata: RData<'_>) -> Option<Data> {
    let bare = |name: &Name<'_>| name.to_string().trim_end_matches('.').to_ascii_lowercase();
    Some(match rdata {
        RData::A(a) => Data::A(Ipv4Addr::from(a.address)),
        RData::AAAA(a) => Data::Aaaa(Ipv6Addr::from(a.address)),
        RData::MX(mx) => Data::Mx(mx.preference, bare(&mx.exchange)),
        RData::TXT(text) => Data::Txt(String::try_from(text).ok()?),
        RData::PTR(name) => Data::Ptr(bare(&name.0)),
        _ => return None,
    })
}

fn over_udp(resolver: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match resolver {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(resolver)?;
    socket.set_read_timeout(Some(WAIT))?;
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..TRIES {
        socket.send(query)?;
        let mut buffer = [0; UDP];
        match socket.recv(&mut buffer) {
            // An answer to another question is late or forged.
            Ok(len) if buffer.get(..2) == query.get(..2) => return Ok(buffer[..len].to_vec()),
            Ok(_) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn over_tcp(resolver: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&resolver, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    let len = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&len.to_be_bytes(), query].concat())?;
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
