//! What a container says about itself besides the disk that it holds.

/// The particulars of an image file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Info {
    /// Its kind within the format, such as `version 3, zlib` or `streamOptimized`.
    pub variant: Option<String>,
    /// Bytes of a cluster, grain or block, where the format has them.
    pub block_size: Option<u64>,
    /// Logical and physical sector size that the disk shows to its guest, where the format
    /// says so.
    pub sectors: Option<(u32, u32)>,
}
