//! Sealing: the operator's side.

use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use super::header::{self, Stanza};
use super::keys::{Recipient, WRAP};
use super::{FileKey, SealedError, armor, derive, stream};

/// Seals `plain` so that each of the recipients can open it. Two runs give different bytes.
///
/// # Errors
///
/// [`SealedError::NoRecipient`] and [`SealedError::Random`].
pub fn seal(plain: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>, SealedError> {
    if recipients.is_empty() {
        return Err(SealedError::NoRecipient);
    }
    let file_key: FileKey = random()?;
    let stanzas = recipients.iter().map(|recipient| wrap(&file_key, *recipient));
    let stanzas = stanzas.collect::<Result<Vec<_>, _>>()?;
    let nonce: Zeroizing<[u8; 16]> = random()?;
    let mut file = header::encode(&file_key, &stanzas).into_bytes();
    file.extend(stream::encrypt(&file_key, &nonce, plain)?);
    Ok(armor::encode(&file).into_bytes())
}

fn wrap(file_key: &FileKey, recipient: Recipient) -> Result<Stanza, SealedError> {
    let secret: Zeroizing<[u8; 32]> = random()?;
    let secret = StaticSecret::from(*secret);
    let share = PublicKey::from(&secret).to_bytes();
    let shared = secret.diffie_hellman(&recipient.0);
    let salt = [share, recipient.0.to_bytes()].concat();
    let cipher = ChaCha20Poly1305::new(&(*derive(shared.as_bytes(), &salt, WRAP)).into());
    let no_point = SealedError::Header("a recipient that is no point of use on the curve");
    if !shared.was_contributory() {
        return Err(no_point);
    }
    let body = cipher.encrypt(&Nonce::default(), &file_key[..]).map_err(|_| no_point.clone())?;
    Ok(Stanza { share, body: body.try_into().map_err(|_| no_point)? })
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, SealedError>
where
    [u8; N]: Zeroize,
{
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| SealedError::Random)?;
    Ok(bytes)
}
