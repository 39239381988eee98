//! The texts of a run, of made-up records: the table with its definitions, and the lines of `results.csv`.

use super::measures::distance::Distance;
use super::measures::features::{FeatureLayer, Features};
use super::measures::reader::PictureReader;
use super::methods::{MethodEntry, random_k};
use super::overview::{self, OverviewRun};
use super::record::{AttackEnding, ConfirmedResult, Picture, Record};
use super::run::Subject;
use super::session::Spent;
use super::summary::{Material, Summary};
use super::testing::mlp;
use super::{Limits, csv, page, table};
use crate::budget::Budget;
use crate::nearest::Norm;
use crate::report::Provenance;

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
fn the_page_counts_what_is_valid_and_says_what_everything_means() {
    let page = check(|summary, material| page_of(summary, material, 9));
    for part in
        ["66.7% (2/3)", "75.0% (3/4)", "0.0% (0/3)", "33.3% (1/3)", "<small>(2/3)</small>", "outside*"]
    {
        assert!(page.contains(part), "no {part} in {page}");
    }
    let defined = ["own def.", "L1", "L2", "Linf"];
    for name in table::COLUMNS.iter().skip(1).filter(|name| !defined.contains(name)) {
        assert!(page.contains(&format!("<dt>{name}</dt>")), "no definition of {name}: {page}");
    }
    // What reaches most comes first, whatever the order of the run.
    let place = |text: &str| page.find(text).unwrap_or(usize::MAX);
    assert!(place("data-value=\"inside\"") < place("data-value=\"outside\""), "{page}");
}

#[test]
fn the_table_as_the_terminal_shows_it() {
    let text = check(|summary, _| table::text(summary, Norm::Linf));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
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

/// The page of a run with as many images.
fn page_of(summary: &Summary, material: &Material<'_>, gallery: usize) -> String {
    page::page(&page::Content {
        title: "<script>.onnx".into(),
        summary,
        victim: material.victim,
        subjects: material.subjects,
        names: &NAMES.map(str::to_owned),
        records: material.records,
        gallery,
        norm: Norm::Linf,
        settings: &[("seed", "<7>".into())],
        provenance: &Provenance {
            command: "counterpatch attack '<b>'".into(),
            version: "1.2.3".into(),
            commit: Some("abc".into()),
            date: "2026-11-30 20:34 UTC".into(),
        },
    })
}

#[test]
fn the_page_has_no_foreign_markup_and_as_many_images_as_asked_for() {
    let page = |gallery| check(|summary, material| page_of(summary, material, gallery));
    for part in ["<script>.onnx", "<7>", "<b>'"] {
        assert!(
            !page(9).contains(part) && page(9).contains(&part.replace('<', "&lt;").replace('>', "&gt;")),
            "{part}"
        );
    }
    assert!(page(9).contains("Counterpatch 1.2.3, commit <code>abc</code>"), "{}", page(9));
    // Of two images the original, of three results two pictures each.
    for (gallery, images, pictures) in [(0, 0, 0), (1, 1, 5), (9, 2, 8)] {
        let page = page(gallery);
        let count = |part: &str| page.matches(part).count();
        assert_eq!((count("<section class=\"image\""), count("<img ")), (images, pictures), "{gallery}");
    }
}

#[test]
fn an_overview_of_many_limits_fits_a_terminal() {
    let text = check(|summary, _| {
        let run = |number: usize| OverviewRun {
            text: format!("linf={number}/255"),
            folder: format!("linf-{number}_255"),
            limits: Limits::none(),
            summary: summary.clone(),
            fooled: 2,
        };
        overview::text(&(1..9).map(run).collect::<Vec<_>>())
    });
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(text.matches("robust accuracy ").count(), 2, "{text}");
    assert!((1..9).all(|number| text.contains(&format!("linf={number}/255"))), "{text}");
}
