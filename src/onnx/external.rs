//! Constants that a model keeps in files beside it (`data_location = EXTERNAL`).
//!
//! The file must lie in the model's own folder or below: a downloaded model may not read `/etc/passwd`. Where the model is
//! a link, its folder is also the one that the link leads to: the cache of Hugging Face holds models and their data in a
//! folder of nameless blobs, and links to both in another one.
//! Source: `onnx/docs/ExternalData.md`.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use onnx_protobuf::TensorProto;

use super::content::{FilePart, ModelBytes};
use super::error::{ModelError, Place};
use crate::unpack;

/// The folder that external data may come from, and the one that the model lies in behind all links.
#[derive(Debug, Clone)]
pub(super) struct Folder(Option<(PathBuf, PathBuf)>);

impl Folder {
    /// The folder of the model at `path`.
    pub(super) fn of(path: &Path) -> Self {
        if unpack::is_stream(path) {
            return Self::none();
        }
        let folder = |path: &Path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        Self(Some((folder(path), folder(&unpack::behind_links(path)))))
    }

    /// No folder: a model without a file has no external data.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The path of `location` inside this folder.
    fn resolve(&self, location: &str) -> Result<PathBuf, String> {
        let Some((folder, behind)) = &self.0 else {
            return Err("its values are in another file, and the model was read from none".into());
        };
        let outside = || format!("its values are in {location:?}, outside the model's folder");
        let relative = plain(location).ok_or_else(outside)?;
        let path = folder.join(relative);
        path.metadata().map_err(|e| format!("its values are in {}: {e}", path.display()))?;
        let real = unpack::behind_links(&path);
        let root = |folder: &Path| folder.canonicalize().map_err(|e| format!("{}: {e}", folder.display()));
        if real.starts_with(root(folder)?) || real.starts_with(root(behind)?) {
            return Ok(real);
        }
        Err(format!("its values are in {location:?}, a link out of the model's folder"))
    }
}

/// A relative path without `.` and `..`; `None` if it leads out of where it begins, or nowhere.
fn plain(location: &str) -> Option<PathBuf> {
    let mut parts = Vec::new();
    for component in Path::new(location).components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    if parts.is_empty() { None } else { Some(parts.iter().collect()) }
}

/// Where the `size` bytes of a tensor are that are kept in another file.
pub(super) fn find(
    proto: &TensorProto,
    size: usize,
    folder: &Folder,
) -> Result<ModelBytes<'static>, ModelError> {
    part(proto, size, folder).map(ModelBytes::InFile).map_err(|what| {
        ModelError::new(Place::Value(proto.name.clone()), what)
            .help("keep the model's data file in the model's folder, under the name that the model gives")
    })
}

fn part(proto: &TensorProto, size: usize, folder: &Folder) -> Result<FilePart, String> {
    let entry = |key: &str| proto.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let number = |key: &str| {
        let parse = |text: &str| text.parse::<u64>().map_err(|_| format!("the {key} {text:?} is no number"));
        entry(key).map(parse).transpose()
    };
    let offset = number("offset")?.unwrap_or(0);
    if let Some(length) = number("length")?
        && length != size as u64
    {
        return Err(format!("its shape claims {size} bytes, its entry in the data file has {length}"));
    }
    let path = folder.resolve(entry("location").unwrap_or_default())?;
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = File::open(&path).map_err(failed)?;
    let held = file.metadata().map_err(failed)?.len();
    if held.checked_sub(offset).is_none_or(|left| left < size as u64) {
        let mut start = Vec::new();
        (&mut file).take(64).read_to_end(&mut start).map_err(failed)?;
        if start.starts_with(b"version https://git-lfs") {
            return Err(format!(
                "{} is a Git LFS pointer, not the data itself: run `git lfs pull` in the folder it came from",
                path.display()
            ));
        }
        return Err(format!("{} has {held} bytes, {size} at {offset} are claimed", path.display()));
    }
    Ok(FilePart::new(file, offset, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx_protobuf::StringStringEntryProto;

    fn proto(location: &str, offset: &str, length: &str) -> TensorProto {
        let entry = |key: &str, value: &str| StringStringEntryProto {
            key: key.into(),
            value: value.into(),
            ..Default::default()
        };
        let external_data =
            vec![entry("location", location), entry("offset", offset), entry("length", length)];
        TensorProto { name: "w".into(), external_data, ..Default::default() }
    }

    fn read(proto: &TensorProto, size: usize, folder: &Folder) -> Result<Vec<u8>, ModelError> {
        Ok(find(proto, size, folder)?.bytes().unwrap().into_owned())
    }

    #[test]
    fn only_the_claimed_bytes_of_a_file_in_the_folder_are_read() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("model");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("w.bin"), [1, 2, 3, 4, 5]).unwrap();
        std::fs::write(outer.path().join("secret"), [9; 9]).unwrap();
        std::os::unix::fs::symlink(outer.path().join("secret"), inner.join("link")).unwrap();
        let secret = outer.path().join("secret").display().to_string();
        let folder = Folder::of(&inner.join("net.onnx"));
        type Expected = Result<&'static [u8], &'static str>;
        std::fs::write(inner.join("pointer"), b"version https://git-lfs.github.com/spec/v1").unwrap();
        let cases: [(&str, &str, &str, Expected); 14] = [
            ("./a/../a/../w.bin", "0", "3", Ok(&[1, 2, 3])),
            ("a/../../model/w.bin", "0", "3", Err("outside the model's folder")),
            ("a/..", "0", "3", Err("outside the model's folder")),
            ("", "0", "3", Err("outside the model's folder")),
            ("pointer", "100", "3", Err("run `git lfs pull`")),
            ("w.bin", "0", "3", Ok(&[1, 2, 3])),
            ("./w.bin", "2", "3", Ok(&[3, 4, 5])),
            ("w.bin", "3", "3", Err("has 5 bytes, 3 at 3 are claimed")),
            ("w.bin", "18446744073709551615", "3", Err("has 5 bytes")),
            ("w.bin", "0", "2", Err("claims 3 bytes, its entry in the data file has 2")),
            ("w.bin", "x", "3", Err("the offset \"x\" is no number")),
            ("../secret", "0", "3", Err("outside the model's folder")),
            (&secret, "0", "3", Err("outside the model's folder")),
            ("link", "0", "3", Err("a link out of the model's folder")),
        ];
        for (location, offset, length, expected) in cases {
            let got = read(&proto(location, offset, length), 3, &folder).map_err(|e| e.to_string());
            match (got, expected) {
                (Ok(bytes), Ok(want)) => assert_eq!(&*bytes, want),
                (Err(message), Err(want)) => assert!(message.contains(want), "{message} lacks {want}"),
                (got, want) => panic!("{location}: {got:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn links_to_a_model_and_its_data_lead_to_one_folder() {
        let cache = tempfile::tempdir().unwrap();
        let at = |name: &str| cache.path().join(name);
        for folder in ["blobs", "snapshot/onnx"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("blobs/model"), []).unwrap();
        std::fs::write(at("blobs/data"), [1, 2, 3]).unwrap();
        std::fs::write(at("other"), [9; 3]).unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
        link("../../blobs/model", "snapshot/onnx/model.onnx");
        link("../../blobs/data", "snapshot/onnx/model.onnx_data");
        link("../../other", "snapshot/onnx/elsewhere");
        let folder = Folder::of(&at("snapshot/onnx/model.onnx"));
        assert_eq!(*read(&proto("model.onnx_data", "0", "3"), 3, &folder).unwrap(), [1, 2, 3]);
        let refused = read(&proto("elsewhere", "0", "3"), 3, &folder).unwrap_err().to_string();
        assert!(refused.contains("a link out of the model's folder"), "{refused}");
    }
}
