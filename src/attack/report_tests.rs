//! The texts of a run, of made-up records: the table with its definitions, and the lines of `results.csv`.

use super::measures::distance::Distance;
use super::measures::features::{FeatureLayer, Features};
use super::measures::reader::PictureReader;
use super::methods::{MethodEntry, random_k};
use super::record::{AttackEnding, ConfirmedResult, Picture, Record};
use super::run::Subject;
use super::session::Spent;
use super::summary::{Material, Summary};
use super::testing::mlp;
use super::{csv, page, table};
use crate::budget::Budget;

const NAMES: [&str; 4] = ["0", "cat, black.png", "2", "3"];

fn record(method: &str, image: usize, ending: AttackEnding, input: Option<[f32; 4]>) -> Record {
    let distance = Distance { values: 1, pixels: 1, l1: 0.5, l2: 0.5, linf: 0.5 };
    let found = input.map(|input| {
        let picture = if image.is_multiple_of(3) {
            Picture::Lost(Some(0))
        } else {
            Picture::Adversarial(1 + image % 2)
        };
        ConfirmedResult { class: 1 + image % 2, distance, picture, input: input.to_vec() }
    });
    let spent = Spent { evaluations: 10 * (image as u64 + 1), gradients: 2, programs: 0 };
    Record { image, method: method.to_owned(), ending, seconds: 0.25, spent, proved: None, found }
}

/// What `show` makes of a run of two methods on three of four images, the fourth being wrong without any change.
fn check(show: impl Fn(&Summary, &Material<'_>) -> String) -> String {
    let victim = mlp(&[4, 5, 3], 1);
    let subject = |number, class| Subject {
        number,
        input: vec![0.1, 0.2, 0.3, number as f32 / 4.0],
        label: 0,
        target: None,
        class,
    };
    let subjects = [subject(0, Some(0)), subject(1, Some(0)), subject(2, Some(0)), subject(3, Some(2))];
    let entry = |name, leaves_range| MethodEntry {
        name,
        about: "a <test>",
        leaves_range,
        searches_grid: false,
        make: random_k::make,
    };
    let records = [
        record("inside", 0, AttackEnding::Adversarial, Some([0.6, 0.2, 0.3, 0.0])),
        record("inside", 1, AttackEnding::Adversarial, Some([0.1, 0.7, 0.3, 0.25])),
        record("inside", 2, AttackEnding::TimeUp, None),
        record("outside", 0, AttackEnding::OwnDefinition, Some([-0.4, 0.2, 0.3, 0.0])),
        record("outside", 1, AttackEnding::GaveUp, None),
        record("outside", 2, AttackEnding::NotConfirmed, None),
    ];
    let budget = Budget::unlimited();
    let layer = FeatureLayer::penultimate(&victim.network);
    let reader = PictureReader::of_victim(&victim);
    let features = Features::new(&victim.network, layer, reader, "the network", 2, &budget);
    let features = Features { name: "the penultimate layer".into(), ..features };
    let material = Material {
        victim: &victim,
        subjects: &subjects,
        attacked: &[0, 1, 2],
        methods: &[entry("inside", false), entry("outside", true)],
        records: &records,
        features: &features,
        others: &[],
    };
    show(&Summary::new(&material), &material)
}

#[test]
fn the_table_counts_what_is_valid_and_says_what_everything_means() {
    let text = check(|summary, _| table::text(summary));
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("inside").contains("66.7% (2/3)") && line("inside").contains("75.0% (3/4)"), "{text}");
    assert!(line("outside*").contains("0.0% (0/3)") && line("outside*").contains("33.3% (1/3)"), "{text}");
    for name in table::COLUMNS.iter().skip(1).filter(|name| !["own def.", "L1", "L2", "Linf"].contains(name))
    {
        assert!(
            text.lines().any(|line| line.starts_with(&format!("{name}:"))),
            "no definition of {name}:\n{text}"
        );
    }
}

#[test]
fn the_table_as_the_terminal_shows_it() {
    insta::assert_snapshot!(check(|summary, _| table::text(summary)));
}

#[test]
fn every_attack_is_a_line_of_the_csv() {
    let text = check(|_, material| csv::text(material.records, material.subjects, &NAMES.map(str::to_owned)));
    insta::assert_snapshot!(text, @r#"
    method,image,file,label,target,ending,class,picture,picture_class,values,pixels,l1,l2,linf,seconds,evaluations,gradients,programs,norm,bound,gap,proved
    inside,0,0,0,,adversarial,1,lost,0,1,1,0.5,0.5,0.5,0.250000,10,2,0,,,,
    inside,1,"cat, black.png",0,,adversarial,2,adversarial,2,1,1,0.5,0.5,0.5,0.250000,20,2,0,,,,
    inside,2,2,0,,time up,,,,,,,,,0.250000,30,2,0,,,,
    outside,0,0,0,,own definition only,1,lost,0,1,1,0.5,0.5,0.5,0.250000,10,2,0,,,,
    outside,1,"cat, black.png",0,,gave up,,,,,,,,,0.250000,20,2,0,,,,
    outside,2,2,0,,not confirmed,,,,,,,,,0.250000,30,2,0,,,,
    "#);
}

#[test]
fn the_page_has_no_foreign_markup_and_as_many_pictures_as_asked_for() {
    let page = |gallery| {
        check(|summary, material| {
            page::page(&page::Content {
                title: "<script>.onnx".into(),
                summary,
                victim: material.victim,
                subjects: material.subjects,
                records: material.records,
                gallery,
            })
        })
    };
    assert!(!page(9).contains("<script>.onnx") && page(9).contains("&lt;script&gt;.onnx"));
    for (gallery, images) in [(0, 0), (1, 6), (9, 9)] {
        assert_eq!(page(gallery).matches("<img ").count(), images);
    }
}
