//! The payload: a nonce, then chunks of 64 KiB, each encrypted and authenticated with its
//! number and whether it is the last (STREAM by Hoang, Reyhanitabar, Rogaway and Vizár).

use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};

use super::{FileKey, SealedError, derive};

const NONCE: usize = 16;
const CHUNK: usize = 64 << 10;
const TAG: usize = 16;

fn cipher(file_key: &FileKey, nonce: &[u8; NONCE]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(&(*derive(file_key.as_ref(), nonce, b"payload")).into())
}

/// The nonce of a chunk: its number in 11 bytes, big-endian, and whether it is the last.
fn chunk_nonce(number: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(is_last);
    nonce.into()
}

/// Decrypts a payload, all of it or nothing.
pub(super) fn decrypt(file_key: &FileKey, payload: &[u8]) -> Result<Vec<u8>, SealedError> {
    let (nonce, body) = payload.split_first_chunk().ok_or(SealedError::Forged)?;
    let cipher = cipher(file_key, nonce);
    let chunks = body.chunks(CHUNK + TAG);
    let last = chunks.len().checked_sub(1).ok_or(SealedError::Forged)?;
    let mut plain = Vec::with_capacity(body.len());
    for (index, chunk) in chunks.enumerate() {
        // Only an empty file has an empty chunk.
        if chunk.len() <= TAG && index > 0 {
            return Err(SealedError::Forged);
        }
        let opened = cipher.decrypt(&chunk_nonce(index as u64, index == last), chunk);
        plain.extend(opened.map_err(|_| SealedError::Forged)?);
    }
    Ok(plain)
}

/// Encrypts a payload.
#[cfg(feature = "write")]
pub(super) fn encrypt(
    file_key: &FileKey,
    nonce: &[u8; NONCE],
    plain: &[u8],
) -> Result<Vec<u8>, SealedError> {
    let cipher = cipher(file_key, nonce);
    let mut payload = nonce.to_vec();
    let last = plain.len().div_ceil(CHUNK).saturating_sub(1);
    for index in 0..=last {
        let start = index * CHUNK;
        let chunk = &plain[start..plain.len().min(start + CHUNK)];
        // Fails for chunks beyond 256 GiB only.
        let sealed = cipher.encrypt(&chunk_nonce(index as u64, index == last), chunk);
        payload.extend(sealed.map_err(|_| SealedError::Forged)?);
    }
    Ok(payload)
}
