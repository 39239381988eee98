//! Pages in a real browser: the report of `attack` renders, its pictures load, its table sorts; every page can be read at three
//! widths, light and dark, and its pictures at these are left in the folder that COUNTERPATCH_SCREENSHOTS names, if it does.
//! Chromium is the one that COUNTERPATCH_BROWSER names, or the first of the usual names that works.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::{Program, shipped};

/// Put behind a copy of the report: presses a heading twice, a chip, and the way to the next image, and says what is there.
const PROBE: &str = r##"<pre id="probe"></pre><script>
addEventListener("load", () => {
  const column = 4;
  const values = () => [...document.querySelectorAll("#methods tbody tr")].map((row) => Number(row.children[column].dataset.value));
  const button = document.querySelectorAll("#methods th button")[column];
  button.click();
  const ascending = values();
  button.click();
  const descending = values();
  const images = [...document.images];
  const emphasised = () => document.querySelectorAll("svg.steps .curve:is(.s0, .s1, .s2, .s3, .s4, .s5)").length;
  const chips = [...document.querySelectorAll(".chip")];
  const before = emphasised();
  chips[0].click();
  const without = emphasised();
  chips[0].click();
  const shown = () => [...document.querySelectorAll("section.image")].filter((image) => !image.hidden).map((image) => image.textContent);
  const first = shown();
  document.querySelector(".chooser button:last-child").click();
  document.getElementById("probe").textContent = "PROBE" + JSON.stringify({
    ascending, descending, title: document.title, images: images.length, curves: [before, without, emphasised()],
    loaded: images.filter((image) => image.complete && image.naturalWidth > 0).length,
    shown: [first.length, shown().length], moved: first[0] !== shown()[0],
    plots: [...document.querySelectorAll("svg.chart")].filter((plot) => plot.checkVisibility()).length,
  }) + "END";
});
</script>"##;

/// On Ubuntu, the program of that name may be a text that says to install a snap.
fn works(program: &Path) -> bool {
    program.is_file() && Command::new(program).arg("--version").output().is_ok_and(|run| run.status.success())
}

fn browser() -> Option<PathBuf> {
    if let Some(named) = env::var_os("COUNTERPATCH_BROWSER") {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let names = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| works(path))
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium"]
fn the_report_renders_loads_its_images_and_sorts() {
    let browser = browser().expect("no Chromium (help: apt-get install chromium)");
    let program = Program::new();
    let (network, images) = (shipped("shapes_mlp.onnx"), shipped("shapes.npz"));
    let run = program.run(&[
        "attack",
        &network,
        "--images",
        &images,
        "--method",
        "random-k,fgsm,blackbox",
        "--gallery",
        "4",
        "--output",
        "out",
    ]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let page = fs::read_to_string(program.path().join("out/report.html")).unwrap();
    needs_nothing(&page);
    let probed = program.path().join("probed.html");
    fs::write(&probed, format!("{page}{PROBE}")).unwrap();

    let report = opened(&browser, &program, &probed, Mode::Light);
    assert_eq!(report["title"], "Attack on shapes_mlp.onnx by Counterpatch");
    assert!(report["images"].as_u64() >= Some(3), "{report}");
    assert_eq!(report["images"], report["loaded"], "{report}");
    assert_eq!(report["plots"], 2, "the run's norm; the others are folded: {report}");
    // Three methods in four norms.
    assert_eq!(report["curves"], serde_json::json!([12, 8, 12]), "{report}");
    assert_eq!(
        (&report["shown"], &report["moved"]),
        (&serde_json::json!([1, 1]), &Value::Bool(true)),
        "{report}"
    );
    let numbers = |name: &str| -> Vec<f64> {
        report[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let (mut up, down) = (numbers("ascending"), numbers("descending"));
    assert!(up.len() == 3 && up.is_sorted(), "{report}");
    up.reverse();
    assert_eq!(up, down, "{report}");
}

/// What the reader's system asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Light,
    Dark,
}

fn needs_nothing(page: &str) {
    assert!(!page.contains("http:") && !page.contains("https:"), "the page needs nothing but itself");
}

/// The browser, told to do something with a page.
fn told(browser: &Path, program: &Program, page: &Path, mode: Mode, what: &[String]) -> Output {
    let colours = format!("--blink-settings=preferredColorScheme={}", usize::from(mode == Mode::Light));
    Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=5000",
            "--hide-scrollbars",
        ])
        .args(what)
        .arg(colours)
        .arg(format!("--user-data-dir={}", program.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", browser.display()))
}

/// A picture of a page at a width, in the folder of screenshots if there is to be one.
fn pictured(browser: &Path, program: &Program, file: &str, mode: Mode, width: f64, height: f64) {
    let Some(folder) = env::var_os("COUNTERPATCH_SCREENSHOTS").map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).unwrap();
    let page = file.trim_end_matches(".html").replace('/', "-");
    let picture = folder.join(format!("{page}-{width}-{mode:?}.png").to_lowercase());
    let picture = std::path::absolute(picture).unwrap();
    let _ = fs::remove_file(&picture);
    // Longer pictures than this the browser does not make.
    let size = format!("--window-size={width},{}", height.min(16_000.0));
    let output = told(
        browser,
        program,
        &program.path().join(file),
        mode,
        &[format!("--screenshot={}", picture.display()), size],
    );
    assert!(picture.is_file(), "no {}: {output:?}", picture.display());
}

/// What a page's probe says.
fn opened(browser: &Path, program: &Program, page: &Path, mode: Mode) -> Value {
    let output = told(browser, program, page, mode, &["--dump-dom".to_owned()]);
    let dom = String::from_utf8_lossy(&output.stdout);
    let report = dom.rsplit_once("PROBE{").and_then(|(_, rest)| rest.split_once("}END"));
    let Some((report, _)) = report else { panic!("the page's script did not run: {output:?}") };
    serde_json::from_str(&format!("{{{report}}}")).unwrap()
}

/// Shows a page, given as a JSON string, at three widths with all that is folded outside of tables unfolded, and measures it for
/// each of the tables: its own width, the highest row, the first columns of a table, whether its first column stays when it is scrolled sideways, and
/// how light its background and its text are.
const WIDTHS: &str = r##"<pre id="probe"></pre><script>
const text = PAGE;
const frames = [390, 1280, 1900].map((width) => {
  const frame = document.createElement("iframe");
  Object.assign(frame, { width, height: 900, srcdoc: text });
  document.body.append(frame);
  return frame;
});
const light = (colour) => colour.match(/[\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
addEventListener("load", () => {
  const measured = frames.flatMap((frame) => TABLES.map((name) => {
    const page = frame.contentDocument;
    const folded = page.documentElement.scrollWidth;
    page.querySelectorAll("details").forEach((part) => { part.open = !part.closest("td"); });
    const table = page.querySelector(name);
    const cells = [...table.rows[1].cells].slice(0, 2);
    const before = cells[0].getBoundingClientRect().left;
    const box = table.closest(".wide");
    box.scrollLeft = 200;
    const visible = [...page.querySelectorAll("td, th")].filter((cell) => cell.checkVisibility());
    const style = frame.contentWindow.getComputedStyle(cells[0]);
    return {
      wanted: Number(frame.width), own: page.documentElement.scrollWidth, folded,
      highest: Math.max(...[...page.querySelectorAll("tr")].map((row) => row.getBoundingClientRect().height)),
      columns: cells.map((cell) => cell.getBoundingClientRect().width),
      cut: cells.filter((cell) => cell.scrollWidth > cell.clientWidth).length,
      moved: cells[0].getBoundingClientRect().left - before,
      // What is wider than its box is reached by a scroll bar of the box.
      lost: visible.filter((cell) => !cell.closest(".wide")).length,
      background: light(style.backgroundColor), text: light(style.color),
      first: page.querySelector("h2").textContent, height: page.documentElement.scrollHeight, table: name,
    };
  }));
  document.getElementById("probe").textContent = "PROBE" + JSON.stringify({ measured }) + "END";
});
</script>"##;

/// What a page measures at three widths; what every page has to keep is asserted.
fn readable(program: &Program, file: &str, tables: &[&str], mode: Mode) -> Vec<Value> {
    let browser = browser().expect("no Chromium (help: apt-get install chromium)");
    let page = program.read(file).unwrap();
    needs_nothing(&page);
    let page = serde_json::to_string(&page).unwrap().replace("</", "<\\/");
    let probed = program.path().join("probed.html");
    let names = serde_json::to_string(tables).unwrap();
    fs::write(&probed, WIDTHS.replace("TABLES", &names).replacen("PAGE", &page, 1)).unwrap();
    let report = opened(&browser, program, &probed, mode);
    let measured = report["measured"].as_array().unwrap().clone();
    assert_eq!(measured.len(), 3 * tables.len());
    for measured in &measured {
        let number = |name: &str| measured[name].as_f64().unwrap();
        assert!(number("own") <= number("wanted"), "off the screen: {measured}");
        assert!(number("folded") <= number("wanted"), "off the screen: {measured}");
        assert!(number("highest") <= 60.0, "a row is too high: {measured}");
        assert_eq!(number("moved"), 0.0, "the first column does not stay: {measured}");
        assert_eq!(number("lost"), 0.0, "cells without a box that scrolls: {measured}");
        let is_dark = number("background") < number("text");
        assert_eq!(is_dark, mode == Mode::Dark, "{measured}");
        assert!((number("background") - number("text")).abs() > 400.0, "hard to read: {measured}");
    }
    for one in measured.chunks(tables.len()) {
        let number = |name: &str| one[0][name].as_f64().unwrap();
        pictured(&browser, program, file, mode, number("wanted"), number("height"));
    }
    measured
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium"]
fn an_audit_can_be_read_at_three_widths() {
    let program = super::audit::folder();
    let mut table = "tool,benchmark,onnx,vnnlib,claim,witness\n".to_owned();
    for number in 0..33 {
        let files = "a_benchmark_of_2025,/home/somebody/benchmarks/sum/sum.onnx,sum/possible.vnnlib";
        let claim = ["unsat,", "sat,short.txt", "sat,near.txt", "sat,right.txt"][number % 4];
        table += &format!("verifier-{number},{files},{claim}\n");
    }
    program.write("claims.csv", table);
    let run = program.run(&["audit", "claims.csv", "--benchmarks", "all", "--html", "audit.html"]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    for mode in [Mode::Light, Mode::Dark] {
        for measured in readable(&program, "audit.html", &["#tools"], mode) {
            assert!(
                measured["columns"].as_array().unwrap().iter().all(|w| w.as_f64() > Some(70.0)),
                "{measured}"
            );
            assert_eq!(measured["cut"], 0, "names are cut: {measured}");
            assert_eq!(measured["first"], "False unsat (9)", "accusations come first: {measured}");
        }
    }
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium"]
fn an_attack_can_be_read_at_three_widths() {
    let program = Program::new();
    let (network, images, other) =
        (shipped("shapes_mlp.onnx"), shipped("shapes.npz"), shipped("shapes_other.onnx"));
    let usual =
        ["attack", &network, "--images", &images, "--transfer", &other, "--protocol", "2", "--budget", "2"];
    // More than can be emphasised.
    let methods = "random-k,fgsm,greedy-pixel,patch-strong,dlfuzz,apgd-ce,square,fab-t";
    let run = program.run(&[&usual[..], &["--method", methods, "--output", "attack"]].concat());
    assert_eq!(run.exit, Some(0), "{run:?}");
    for mode in [Mode::Light, Mode::Dark] {
        for measured in readable(&program, "attack/report.html", &["#methods", "#figures table"], mode) {
            assert_eq!(measured["first"], "Methods", "{measured}");
            assert!(measured["table"] != "#methods" || measured["cut"] == 0, "names are cut: {measured}");
        }
    }
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium"]
fn an_answer_can_be_read_at_three_widths() {
    let program = Program::new();
    for name in ["digits_cnn", "digits_mlp"] {
        let (network, property) = (shipped(&format!("{name}.onnx")), shipped(&format!("{name}_easy.vnnlib")));
        let page = format!("answer-{name}.html");
        let run = program.run(&["verify", &network, &property, "--timeout", "60", "--html", &page]);
        assert_eq!((run.exit, run.first_line()), (Some(0), "sat"), "{run:?}");
        for mode in [Mode::Light, Mode::Dark] {
            readable(&program, &page, &["#inputs table"], mode);
        }
    }
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium"]
fn an_overview_of_limits_can_be_read_at_three_widths() {
    let program = Program::new();
    let (network, images) = (shipped("shapes_mlp.onnx"), shipped("shapes.npz"));
    let mut words = vec!["attack", &network, "--images", &images, "--output", "limits", "--quiet"];
    words.extend(["--method", "random-k,fgsm,greedy-pixel"]);
    // More columns than the narrowest page has room for.
    for limit in ["linf=0.1", "linf=0.25", "linf=8/255", "linf=0.5", "linf=9/10", "linf=1/3"] {
        words.extend(["--limit", limit]);
    }
    let run = program.run(&words);
    assert_eq!(run.exit, Some(0), "{run:?}");
    for mode in [Mode::Light, Mode::Dark] {
        for measured in readable(&program, "limits/report.html", &["#limits"], mode) {
            assert_eq!(
                (&measured["first"], &measured["cut"]),
                (&"Methods and limits".into(), &0.into()),
                "{measured}"
            );
        }
    }
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium"]
fn a_campaign_can_be_read_at_three_widths() {
    let program = Program::new();
    super::campaign::made_up(&program, "older", 691, 1);
    super::campaign::made_up(&program, "newer", 691, 2);
    let collect = ["campaign", "collect", "newer", "--against", "older", "--html", "campaign.html"];
    let run = program.run(&collect);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let page = program.read("campaign.html").unwrap();
    assert!(page.contains("<b>2764</b>") && page.len() < 1_000_000, "{} bytes", page.len());
    for mode in [Mode::Light, Mode::Dark] {
        let tables = ["#opposed", "#won", "#scores", "#resources", "#hardest", "#slowest", "#failures"];
        for measured in readable(&program, "campaign.html", &tables, mode) {
            assert!(measured["first"].as_str().unwrap().starts_with("Disagreements ("), "{measured}");
        }
    }
}
