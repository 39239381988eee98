//! What a program can name when it depends on `counterpatch` or `vnnlib`: a snapshot each, so that a change of it is seen
//! and is put into the changelog.
//!
//! It is read from the sources: public items of modules that are neither private nor hidden from the documentation,
//! with their signatures. Derived and other trait implementations are not listed.

use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, ItemMod, Type, Visibility};

/// One line an item, under the path of its module.
struct Listing {
    lines: Vec<String>,
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether an item is left out: tests, and what is hidden from the documentation.
fn is_hidden(attributes: &[Attribute]) -> bool {
    let says = |attribute: &Attribute, name: &str, word: &str| {
        attribute.path().is_ident(name) && attribute.to_token_stream().to_string().contains(word)
    };
    attributes.iter().any(|attribute| says(attribute, "cfg", "test") || says(attribute, "doc", "hidden"))
}

/// Tokens as one line that people can read.
fn line(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
        (" : ", ": "),
        ("( ", "("),
        (" )", ")"),
        (" (", "("),
        (" ;", ""),
        ("[ ", "["),
        (" ]", "]"),
        (" !", "!"),
        (" - >", " ->"),
        ("- >", "->"),
        (", )", ")"),
        (",)", ")"),
    ] {
        text = text.replace(from, to);
    }
    text
}

/// Where the source of a module declared in `file` lies.
fn file_of(file: &Path, module: &ItemMod) -> PathBuf {
    let folder = file.parent().unwrap();
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let own = if matches!(stem, "lib" | "mod") { folder.to_path_buf() } else { folder.join(stem) };
    let flat = own.join(format!("{}.rs", module.ident));
    if flat.exists() { flat } else { own.join(module.ident.to_string()).join("mod.rs") }
}

impl Listing {
    fn add(&mut self, path: &str, text: &str) {
        self.lines.push(format!("{path}: {text}"));
    }

    fn add_module(&mut self, path: &str, file: &Path) {
        let source = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for item in syn::parse_file(&source).unwrap_or_else(|e| panic!("{}: {e}", file.display())).items {
            self.add_item(path, file, item);
        }
    }

    fn add_item(&mut self, path: &str, file: &Path, item: Item) {
        match item {
            Item::Mod(module) if is_public(&module.vis) && !is_hidden(&module.attrs) => {
                self.add_module(&format!("{path}::{}", module.ident), &file_of(file, &module));
            }
            Item::Use(mut item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                item.attrs.clear();
                self.add(path, &line(&item));
            }
            Item::Fn(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                self.add(path, &format!("pub {}", line(&item.sig)));
            }
            Item::Const(mut item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                item.attrs.clear();
                self.add(path, &line(&item));
            }
            Item::Type(mut item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                item.attrs.clear();
                self.add(path, &line(&item));
            }
            Item::Struct(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                let kind = format!("pub struct {}{}", item.ident, line(&item.generics));
                self.add(path, &kind);
                self.add_fields(&format!("{path}::{}", item.ident), &item.fields);
            }
            Item::Enum(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                self.add(path, &format!("pub enum {}{}", item.ident, line(&item.generics)));
                for mut variant in item.variants {
                    variant.attrs.clear();
                    variant.fields.iter_mut().for_each(|field| field.attrs.clear());
                    self.add(&format!("{path}::{}", item.ident), &line(&variant));
                }
            }
            Item::Trait(item) if is_public(&item.vis) && !is_hidden(&item.attrs) => {
                self.add(path, &format!("pub trait {}{}", item.ident, line(&item.generics)));
                for member in item.items {
                    if let syn::TraitItem::Fn(member) = member {
                        self.add(&format!("{path}::{}", item.ident), &line(&member.sig));
                    }
                }
            }
            Item::Impl(item) if item.trait_.is_none() => self.add_methods(path, &item.self_ty, item.items),
            _ => {}
        }
    }

    fn add_fields(&mut self, path: &str, fields: &Fields) {
        for field in fields.iter().filter(|field| is_public(&field.vis) && !is_hidden(&field.attrs)) {
            let name = field.ident.as_ref().map_or_else(|| "0".to_owned(), ToString::to_string);
            self.add(path, &format!("pub {name}: {}", line(&field.ty)));
        }
    }

    fn add_methods(&mut self, path: &str, of: &Type, items: Vec<ImplItem>) {
        for item in items {
            let ImplItem::Fn(method) = item else { continue };
            if is_public(&method.vis) && !is_hidden(&method.attrs) {
                self.add(&format!("{path}::{}", line(of)), &format!("pub {}", line(&method.sig)));
            }
        }
    }
}

fn check(name: &str, root: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut listing = Listing { lines: Vec::new() };
    listing.add_module(name, &file);
    listing.lines.sort();
    listing.lines.dedup();
    insta::assert_snapshot!(format!("public_api_of_{name}"), listing.lines.join("\n"));
}

#[test]
fn the_public_interface_of_counterpatch_is_the_recorded_one() {
    check("counterpatch", "src/lib.rs");
}

#[test]
fn the_public_interface_of_vnnlib_is_the_recorded_one() {
    check("vnnlib", "vnnlib/src/lib.rs");
}
