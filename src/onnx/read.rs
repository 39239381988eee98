//! Files → [`Model`]: finding, unpacking and recognising what is no model at all.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::content::{FilePart, ModelBytes};
use super::decode;
use super::error::{ModelError, Place};
use super::external::Folder;
use super::model::Model;
use super::tensor::Tensor;
use crate::unpack::{self, FileError, shown};

/// Why a model file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("{}: {source}", shown(.path))]
    Io {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: FileError,
    },
    /// The file was read, but holds no usable model.
    #[error("{}: {error}", shown(.path))]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ModelError,
    },
}

/// A file of fewer bytes is read as a whole.
const LARGE: u64 = 1 << 24;
/// Bytes that tell what is no model.
const BEGINNING: usize = 1 << 10;

/// Reads the ONNX model at `path`. Where only `path` + `.gz` exists, that is read; gzip is known by its first bytes,
/// whatever the name.
///
/// The model's nodes are in topological order and every name is defined once. Memory stays below the unpacked file's
/// size plus that of the values themselves, integers taking 8 bytes each; of a large file that is not packed it is little more than
/// the values.
pub fn read(path: &Path) -> Result<Model, ReadError> {
    match read_in_place(path, LARGE) {
        Some(model) => Ok(model),
        // It is small or packed, or something is wrong with it: this says what.
        None => Ok(read_with_bytes(path)?.0),
    }
}

/// Reads a file of at least so many bytes whose constants stay where they are until each becomes numbers; `None` where it cannot.
fn read_in_place(path: &Path, least: u64) -> Option<Model> {
    let (file, size) = unpack::open_plain(path, least..=unpack::limit::MODEL)?;
    let content = ModelBytes::InFile(FilePart::new(file, 0, usize::try_from(size).ok()?));
    recognise(&content.part(0..content.len().min(BEGINNING)).bytes().ok()?).ok()?;
    decode::model(&content, path, &Folder::of(path)).ok()
}

/// The same, and the unpacked content that the model was read from.
pub fn read_with_bytes(path: &Path) -> Result<(Model, Vec<u8>), ReadError> {
    let (found, bytes) = read_bytes(path)?;
    match decode::model(&ModelBytes::Held(&bytes), &found, &Folder::of(&found)) {
        Ok(model) => Ok((model, bytes)),
        Err(error) => Err(ReadError::Model { path: found, error }),
    }
}

/// The unpacked content of a model file that is gzipped; `None` for one that is not.
pub fn unpacked(path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
    let mut magic = Vec::new();
    let begun = File::open(path).and_then(|file| file.take(2).read_to_end(&mut magic));
    begun.map_err(|refusal| ReadError::Io { path: path.to_path_buf(), source: refusal.into() })?;
    if unpack::is_gzip(&magic) { Ok(Some(read_bytes(path)?.1)) } else { Ok(None) }
}

/// Reads a model from bytes (not gzipped) that came from no file: it can have no external data.
pub fn from_bytes(bytes: &[u8]) -> Result<Model, ModelError> {
    recognise(bytes)?;
    decode::model(&ModelBytes::Held(bytes), Path::new(""), &Folder::none())
}

/// Reads a file that holds a single named tensor (`TensorProto`), e.g. the ONNX project's test data.
pub fn read_tensor(path: &Path) -> Result<(String, Tensor), ReadError> {
    let (found, bytes) = read_bytes(path)?;
    decode::named_tensor(&bytes, &Folder::of(&found)).map_err(|error| ReadError::Model { path: found, error })
}

fn read_bytes(path: &Path) -> Result<(PathBuf, Vec<u8>), ReadError> {
    let read = unpack::read(path, unpack::limit::MODEL);
    let (path, bytes) = read.map_err(|source| ReadError::Io { path: path.to_path_buf(), source })?;
    match recognise(&bytes) {
        Ok(()) => Ok((path, bytes)),
        Err(error) => Err(ReadError::Model { path, error }),
    }
}

/// Refuses what is plainly something else, with a better reason than a protobuf error.
fn recognise(bytes: &[u8]) -> Result<(), ModelError> {
    let order = "check the order of the arguments: the network comes before the property";
    let is_text = |bytes: &[u8]| {
        let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        start.starts_with(b"(") || start.starts_with(b";") || start.starts_with(b"<")
    };
    let (what, help) = if let Some(foreign) = unpack::foreign(bytes) {
        foreign
    } else if bytes.starts_with(b"version https://git-lfs") {
        // In a file it is found earlier.
        ("a Git LFS pointer, not the model itself", "run `git lfs pull` in the folder it came from")
    } else if is_text(bytes) || matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        ("text, not an ONNX model", order)
    } else {
        return Ok(());
    };
    Err(ModelError::new(Place::File, what).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::Data;
    use flate2::{Compression, write::GzEncoder};
    use onnx_protobuf::{Message, ModelProto, OperatorSetIdProto, TensorProto};
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Large constants of several types, with few values that are not zero and with many, and an integer one.
    #[test]
    fn what_is_read_in_place_is_what_is_read_as_a_whole() {
        let constant = |name: &str, data_type: i32, values: &dyn Fn(usize) -> Vec<u8>| TensorProto {
            name: name.into(),
            dims: vec![50_000],
            data_type,
            raw_data: (0..50_000).flat_map(values).collect(),
            ..Default::default()
        };
        let float = |i: usize| (i as f32).sin().to_le_bytes().to_vec();
        let seldom = |i: usize| (if i % 100 == 7 { i as f32 } else { 0.0 }).to_le_bytes().to_vec();
        let mut proto = ModelProto { ir_version: 8, ..Default::default() };
        proto.opset_import.push(OperatorSetIdProto { version: 13, ..Default::default() });
        let graph = proto.graph.mut_or_insert_default();
        graph.initializer = vec![
            constant("a", 1, &float),
            constant("b", 1, &seldom),
            constant("c", 11, &|i| (i as f64).cos().to_le_bytes().to_vec()),
            constant("d", 7, &|i| (i as i64 - 7).to_le_bytes().to_vec()),
            TensorProto { name: "e".into(), data_type: 1, float_data: vec![2.5], ..Default::default() },
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.onnx");
        std::fs::write(&path, proto.write_to_bytes().unwrap()).unwrap();
        let in_place = read_in_place(&path, 0).unwrap();
        let whole = read_with_bytes(&path).unwrap().0;
        assert_eq!(in_place.graph.initializers, whole.graph.initializers);
        assert_eq!((in_place.path, in_place.opset), (whole.path, whole.opset));
        assert_eq!(in_place.graph.initializers.len(), 5);
        assert!(matches!(in_place.graph.initializers["b"].data, Data::SparseF32(_)));
        // It is packed, or cut short, or too small to be worth it.
        let bytes = std::fs::read(&path).unwrap();
        assert!(read_in_place(&path, bytes.len() as u64 + 1).is_none());
        std::fs::write(&path, packed(&bytes)).unwrap();
        assert!(read_in_place(&path, 0).is_none());
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read_in_place(&path, 0).is_none());
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
            ("cut.onnx", "the gzip stream is cut short (help: fetch the file again"),
            ("pointer.onnx", "a Git LFS pointer, not the file itself (help: run `git lfs pull`"),
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
