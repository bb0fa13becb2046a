//! What `ejit bench` prints: JSON lines, or a table with a bar per workload.

use super::measure::{FIRST, Figures, First, compile_ns};
use crate::cli::failure::Result;
use crate::cli::stats;
use crate::cli::workload::Workload;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, io::Write};

/// A ratio counts at most this in a mean, so that one folded-away loop does not carry it.
const RATIO_CAP: f64 = 50.0;
/// Width of the longest bar, which is [`BAR_FULL`].
const BAR_WIDTH: usize = 20;
/// The ratio that fills a bar.
const BAR_FULL: f64 = 10.0;

/// A ratio of the summary: its name, and how it is got from the figures.
type Ratio = (&'static str, fn(&Figures) -> f64);

/// revm's time over ours, so that more is better.
const RATIOS: [Ratio; 4] = [
    ("warm", |f| f.revm_ns / f.warm_ns),
    ("off", |f| f.revm_ns / f.off_ns),
    ("tiered", |f| f.revm_ns / f.tiered_ns),
    ("cold", |f| f.revm_cold_ns / f.cold_ns),
];

/// Prints figures as they come and keeps what the summary needs.
#[derive(Debug)]
pub struct Report {
    json: bool,
    stats: bool,
    colours: bool,
    measured: Vec<(String, String, Figures)>,
    failures: usize,
}

impl Report {
    /// A report, as JSON lines or as a table, with the engines' counters if `stats`.
    pub fn new(json: bool, stats: bool, colours: bool) -> Report {
        Report { json, stats, colours, measured: Vec::new(), failures: 0 }
    }

    /// Workloads that did not come to what was expected.
    pub fn failures(&self) -> usize {
        self.failures
    }

    /// The head of the table.
    pub fn begin(&self, out: &mut dyn Write) -> Result<()> {
        if !self.json {
            let (on, off) = self.style("1");
            writeln!(
                out,
                "{on}{:<32} {:<17} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}  warm/revm{off}",
                "workload", "kind", "revm", "off", "warm", "tiered", "cold", "compiled"
            )?;
        }
        Ok(())
    }

    /// One workload; `problem` says why it is not what was expected.
    pub fn workload(
        &mut self,
        workload: &Workload,
        instructions: u64,
        problem: Option<String>,
        figures: Figures,
        out: &mut dyn Write,
    ) -> Result<()> {
        if self.json {
            let mut object = to_json(workload, instructions, problem.as_deref(), &figures);
            if self.stats {
                object["stats"] = json!({"always": stats::json(&figures.counted[0]), "tiered": stats::json(&figures.counted[1])});
            }
            writeln!(out, "{object}")?;
        } else {
            self.row(workload, problem.as_deref(), &figures, out)?;
            if self.stats {
                write!(out, "{}", stats::rows(&figures.counted))?;
            }
        }
        match problem {
            Some(_) => self.failures += 1,
            None => self.measured.push((workload.name.clone(), workload.kind.clone(), figures)),
        }
        Ok(())
    }

    fn row(&self, workload: &Workload, problem: Option<&str>, figures: &Figures, out: &mut dyn Write) -> Result<()> {
        write!(out, "{:<32} {:<17} ", workload.name, workload.kind)?;
        if let Some(problem) = problem {
            let (on, off) = self.style("31");
            return Ok(writeln!(out, "{on}{problem}{off}")?);
        }
        for time in [figures.revm_ns, figures.off_ns, figures.warm_ns, figures.tiered_ns, figures.cold_ns] {
            write!(out, "{:>10} ", duration(time))?;
        }
        write!(out, "{:>8.2} % ", 100.0 * figures.compiled_share)?;
        let (_, ratio) = RATIOS[0];
        let ratio = ratio(figures);
        let (on, off) = self.style(if ratio < 0.95 { "31" } else { "32" });
        Ok(writeln!(out, " {ratio:>6.2} {on}{}{off}", bar(ratio))?)
    }

    /// The summary.
    pub fn end(&self, out: &mut dyn Write) -> Result<()> {
        let mut kinds: Vec<&str> = self.measured.iter().map(|(_, kind, _)| kind.as_str()).collect();
        kinds.sort();
        kinds.dedup();
        let all = self.means(|_| true);
        let of_kinds: BTreeMap<&str, Value> = kinds.iter().map(|kind| (*kind, means_json(&self.means(|k| k == *kind)))).collect();
        if self.json {
            let summary = json!({
                "workloads": self.measured.len() + self.failures,
                "failed": self.failures,
                "all": means_json(&all),
                "kinds": of_kinds,
                "worst": self.worst(),
            });
            return Ok(writeln!(out, "{}", json!({"summary": summary}))?);
        }
        let (on, off) = self.style("1");
        writeln!(
            out,
            "\n{on}{:<32} {:>10} {:>10} {:>10} {:>10}{off}",
            "revm over ejit, geometric mean", "warm", "off", "tiered", "cold"
        )?;
        self.mean_row("all", &all, out)?;
        for kind in kinds {
            self.mean_row(kind, &self.means(|k| k == kind), out)?;
        }
        writeln!(out, "{} workloads, {} failed", self.measured.len() + self.failures, self.failures)?;
        Ok(())
    }

    fn mean_row(&self, name: &str, means: &Means, out: &mut dyn Write) -> Result<()> {
        write!(out, "{name:<32}")?;
        for mean in means {
            write!(out, " {:>10}", mean.map_or("-".to_string(), |mean| format!("{mean:.2}")))?;
        }
        Ok(writeln!(out)?)
    }

    /// Geometric means of the ratios over the workloads whose kind `wanted` accepts.
    fn means(&self, wanted: impl Fn(&str) -> bool) -> Means {
        RATIOS.map(|(_, ratio)| {
            let of_kind = self.measured.iter().filter(|(_, kind, _)| wanted(kind));
            geometric_mean(of_kind.map(|(_, _, figures)| ratio(figures)))
        })
    }

    /// Per ratio, the workload with the smallest.
    fn worst(&self) -> Value {
        let mut object = Map::new();
        for (name, ratio) in RATIOS {
            let ratios = self.measured.iter().map(|(workload, _, figures)| (workload, ratio(figures)));
            let worst = ratios.min_by(|a, b| a.1.total_cmp(&b.1));
            object.insert(
                name.into(),
                worst.map_or(Value::Null, |(workload, ratio)| json!({"name": workload, "ratio": round(ratio, 1000.0)})),
            );
        }
        Value::Object(object)
    }

    /// What turns a style on and off; nothing where there are no colours.
    fn style(&self, code: &str) -> (String, &'static str) {
        if self.colours { (format!("\x1b[{code}m"), "\x1b[0m") } else { (String::new(), "") }
    }
}

type Means = [Option<f64>; RATIOS.len()];

fn means_json(means: &Means) -> Value {
    RATIOS
        .iter()
        .zip(means)
        .map(|((name, _), mean)| (name.to_string(), json!(mean.map(|mean| round(mean, 1000.0)))))
        .collect::<Map<_, _>>()
        .into()
}

/// The geometric mean of ratios, each capped; none of none.
fn geometric_mean(ratios: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for ratio in ratios {
        sum += ratio.min(RATIO_CAP).ln();
        count += 1;
    }
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

/// A bar as long as the ratio is large.
fn bar(ratio: f64) -> String {
    let eighths = (ratio / BAR_FULL * BAR_WIDTH as f64 * 8.0).round() as usize;
    let eighths = eighths.clamp(1, BAR_WIDTH * 8);
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + part
}

/// A time in the unit that suits it.
fn duration(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

/// The JSON object of one workload.
fn to_json(workload: &Workload, instructions: u64, problem: Option<&str>, figures: &Figures) -> Value {
    let time = |ns: f64| json!(round(ns, 10.0));
    let first = |means: &First| -> Value {
        FIRST.iter().zip(means).filter_map(|(runs, mean)| Some((runs.to_string(), time((*mean)?)))).collect::<Map<_, _>>().into()
    };
    let mut object = json!({
        "name": workload.name,
        "kind": workload.kind,
        "ok": problem.is_none(),
        "gas": workload.expected.as_ref().map(|expected| expected.gas_used),
        "instructions": instructions,
    });
    if let Some(problem) = problem {
        object["problem"] = json!(problem);
        return object;
    }
    object["revm_ns"] = time(figures.revm_ns);
    object["off_ns"] = time(figures.off_ns);
    object["warm_ns"] = time(figures.warm_ns);
    object["tiered_ns"] = time(figures.tiered_ns);
    object["revm_cold_ns"] = time(figures.revm_cold_ns);
    object["cold_ns"] = time(figures.cold_ns);
    object["first_ns"] = first(&figures.first_ns);
    object["revm_first_ns"] = first(&figures.revm_first_ns);
    let compiled = &figures.compiled;
    object["compile_ns"] = json!({
        "analyse": figures.analyse_ns,
        "translate": compiled.translate_ns,
        "lower": compiled.lower_ns,
        "publish": compiled.publish_ns,
        "total": figures.analyse_ns + compile_ns(compiled),
    });
    object["compiled_bytes"] = json!(compiled.compiled_bytes);
    object["native_bytes"] = json!(compiled.native_bytes);
    object["compiled_share"] = json!(round(figures.compiled_share, 10_000.0));
    object
}
