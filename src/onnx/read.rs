//! Files → [`Model`]: finding, unpacking and recognising what is no model at all.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::decode;
use super::error::{ModelError, Place};
use super::external::Folder;
use super::model::Model;
use super::tensor::Tensor;

/// Largest file, unpacked: protobuf's own limit.
const MAX_BYTES: u64 = 2 << 30;

/// Why a model file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("{}: {source} (help: check the path and its permissions)", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The file was read, but holds no usable model.
    #[error("{}: {error}", .path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ModelError,
    },
}

/// Reads the ONNX model at `path`. Where only `path` + `.gz` exists, that is read; gzip is known by its first bytes,
/// whatever the name.
///
/// The model's nodes are in topological order and every name is defined once. Memory stays below the unpacked file's
/// size plus that of the values themselves, integers taking 8 bytes each.
pub fn read(path: &Path) -> Result<Model, ReadError> {
    Ok(read_with_bytes(path)?.0)
}

/// The same, and the unpacked content that the model was read from.
pub fn read_with_bytes(path: &Path) -> Result<(Model, Vec<u8>), ReadError> {
    let (found, bytes) = read_bytes(path)?;
    match decode::model(&bytes, &found, &Folder::of(&found)) {
        Ok(model) => Ok((model, bytes)),
        Err(error) => Err(ReadError::Model { path: found, error }),
    }
}

/// The unpacked content of a model file that is gzipped; `None` for one that is not.
pub fn unpacked(path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
    let io_error = |source| ReadError::Io { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(io_error)?;
    let packed = is_gzip(&mut file).map_err(io_error)?;
    if packed { Ok(Some(read_bytes(path)?.1)) } else { Ok(None) }
}

/// Reads a model from bytes (not gzipped) that came from no file: it can have no external data.
pub fn from_bytes(bytes: &[u8]) -> Result<Model, ModelError> {
    recognise(bytes)?;
    decode::model(bytes, Path::new(""), &Folder::none())
}

/// Reads a file that holds a single named tensor (`TensorProto`), e.g. the ONNX project's test data.
pub fn read_tensor(path: &Path) -> Result<(String, Tensor), ReadError> {
    let (found, bytes) = read_bytes(path)?;
    decode::named_tensor(&bytes, &Folder::of(&found)).map_err(|error| ReadError::Model { path: found, error })
}

fn read_bytes(path: &Path) -> Result<(PathBuf, Vec<u8>), ReadError> {
    let io_error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ReadError::Io { path, source }
    };
    let packed = with_gz(path);
    let (path, file) = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && packed.is_file() => {
            let file = File::open(&packed).map_err(io_error(&packed))?;
            (packed, file)
        }
        opened => (path.to_path_buf(), opened.map_err(io_error(path))?),
    };
    let bytes = content(file).map_err(io_error(&path))?;
    match recognise(&bytes) {
        Ok(()) => Ok((path, bytes)),
        Err(error) => Err(ReadError::Model { path, error }),
    }
}

fn with_gz(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    PathBuf::from(name)
}

/// Whether the file begins as gzip does. It can be read from its beginning afterwards.
fn is_gzip(file: &mut File) -> io::Result<bool> {
    let mut magic = Vec::new();
    file.take(2).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(magic == [0x1f, 0x8b])
}

fn content(mut file: File) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    let gzip = is_gzip(&mut file)?;
    let mut bytes = Vec::with_capacity(if gzip { 0 } else { size.min(MAX_BYTES) as usize });
    if gzip {
        MultiGzDecoder::new(io::BufReader::new(file)).take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    } else {
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("more than 2 GiB unpacked, which no ONNX file may have"));
    }
    Ok(bytes)
}

/// Refuses what is plainly something else, with a better reason than a protobuf error.
fn recognise(bytes: &[u8]) -> Result<(), ModelError> {
    let (what, help) = if bytes.is_empty() {
        ("the file is empty", "fetch or export it again")
    } else if bytes.starts_with(b"version https://git-lfs") {
        ("a Git LFS pointer, not the model itself", "run `git lfs pull` in the folder it came from")
    } else if bytes.starts_with(b"(") || bytes.starts_with(b";") || bytes.starts_with(b"<") {
        ("text, not an ONNX model", "check the order of the arguments: the network comes before the property")
    } else if bytes.starts_with(b"PK\x03\x04") {
        ("a zip archive, such as PyTorch saves", "export the model with torch.onnx.export")
    } else if bytes.starts_with(b"\x89HDF") {
        ("an HDF5 file, such as Keras saves", "convert the model with tf2onnx")
    } else {
        return Ok(());
    };
    Err(ModelError::new(Place::File, what).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn files_are_found_unpacked_and_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        let no_graph: &[u8] = &[0x08, 0x08];
        write("plain.onnx", no_graph);
        write("only_packed.onnx.gz", &packed(no_graph));
        write("packed_unnamed.onnx", &packed(no_graph));
        write("cut.onnx", &packed(no_graph)[..15]);
        write("pointer.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
        write("property.onnx", b"(declare-const X_0 Real)");
        write("empty.onnx", b"");
        let cases = [
            ("plain.onnx", "plain.onnx: the model: there is no graph in it"),
            ("only_packed.onnx", "only_packed.onnx.gz: the model: there is no graph in it"),
            ("packed_unnamed.onnx", "packed_unnamed.onnx: the model: there is no graph in it"),
            ("cut.onnx", "(help: check the path and its permissions)"),
            ("pointer.onnx", "a Git LFS pointer, not the model itself (help: run `git lfs pull`"),
            ("property.onnx", "text, not an ONNX model"),
            ("empty.onnx", "the file is empty"),
            ("missing.onnx", "missing.onnx: No such file or directory"),
        ];
        for (name, expected) in cases {
            let message = read(&folder.path().join(name)).unwrap_err().to_string();
            assert!(message.contains(expected), "{message} lacks {expected}");
        }
    }
}
