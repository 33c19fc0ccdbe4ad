//! POSIX ACLs: the form that getxattr(2) gives and the one that ext4 stores (Linux'
//! include/uapi/linux/posix_acl_xattr.h and fs/ext4/acl.h).

const USER_VERSION: u32 = 2;
const DISK_VERSION: u32 = 1;
/// No id, for entries that have none.
const NO_ID: u32 = u32::MAX;

/// Entries of this kind name a user or a group.
fn has_id(tag: u16) -> Option<bool> {
    match tag {
        // ACL_USER, ACL_GROUP
        0x02 | 0x08 => Some(true),
        // ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER
        0x01 | 0x04 | 0x10 | 0x20 => Some(false),
        _ => None,
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// The stored form; nothing if `value` is no ACL.
pub(super) fn to_disk(value: &[u8]) -> Option<Vec<u8>> {
    let mut rest = value;
    if u32::from_le_bytes(take(&mut rest)?) != USER_VERSION || rest.is_empty() {
        return None;
    }
    let mut out = DISK_VERSION.to_le_bytes().to_vec();
    while !rest.is_empty() {
        let (tag, perm, id) = (take(&mut rest)?, take::<2>(&mut rest)?, take::<4>(&mut rest)?);
        out.extend(tag);
        out.extend(perm);
        if has_id(u16::from_le_bytes(tag))? {
            out.extend(id);
        }
    }
    Some(out)
}

/// The form of getxattr(2); nothing if `value` is no stored ACL.
pub(super) fn from_disk(value: &[u8]) -> Option<Vec<u8>> {
    let mut rest = value;
    if u32::from_le_bytes(take(&mut rest)?) != DISK_VERSION {
        return None;
    }
    let mut out = USER_VERSION.to_le_bytes().to_vec();
    while !rest.is_empty() {
        let (tag, perm) = (take(&mut rest)?, take::<2>(&mut rest)?);
        let id = match has_id(u16::from_le_bytes(tag))? {
            true => take(&mut rest)?,
            false => NO_ID.to_le_bytes(),
        };
        out.extend(tag);
        out.extend(perm);
        out.extend(id);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &[u8] = &[
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0x70, 0x11, 1, 0, 0x20, 0, 4, 0,
        255, 255, 255, 255,
    ];
    const DISK: &[u8] = &[1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 0x70, 0x11, 1, 0, 0x20, 0, 4, 0];

    #[test]
    fn both_forms_say_the_same() {
        assert_eq!(to_disk(USER).unwrap(), DISK);
        assert_eq!(from_disk(DISK).unwrap(), USER);
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_refused() {
        for len in [0, 3, 4, 5, 11, 13, 27] {
            assert_eq!(to_disk(&USER[..len]), None, "{len}");
        }
        for len in [0, 3, 5, 11, 14, 19] {
            assert_eq!(from_disk(&DISK[..len]), None, "{len}");
        }
        assert_eq!(to_disk(DISK), None);
        assert_eq!(from_disk(&[1, 0, 0, 0, 3, 0, 0, 0]), None);
    }
}
