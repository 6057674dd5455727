//! The results as plots in SVG: throughput by number of callers, and latency by rate.

use std::path::Path;

use plotters::prelude::*;

use crate::{
    common::app::Failure,
    operations::Operation,
    report::{Contender, OpenPhase, Report},
};

const SIZE: (u32, u32) = (760, 460);

/// A line of a plot: its name, its colour, its points.
type Line = (&'static str, RGBColor, Vec<(f64, f64)>);

/// Draws two plots for each operation.
pub fn draw(report: &Report, folder: &Path) -> Result<(), Failure> {
    let mut operations: Vec<Operation> = report.lines().iter().map(|line| line.0).collect();
    operations.dedup();
    operations.sort_by_key(|operation| operation.name());
    operations.dedup();
    for operation in operations {
        let file = operation.name().to_lowercase().replace([' ', ','], "-").replace("--", "-");
        let contenders = [
            ("befriend", RED, Contender::Befriend),
            ("pgbench", BLUE, Contender::Pgbench),
            ("tonic echo", GREEN, Contender::Echo),
        ];
        #[expect(clippy::cast_precision_loss, reason = "a number of callers")]
        let lines = contenders.map(|(name, colour, contender)| {
            let all = report.lines();
            let points = all.iter().filter(|line| line.0 == operation).filter_map(|line| {
                Some((line.1 as f64, report.rate(operation, contender, line.1)?))
            });
            (name, colour, points.collect())
        });
        let path = folder.join(format!("throughput-{file}.svg"));
        plot(&path, operation.name(), ("callers", "operations a second"), &lines)?;
        let ours = |open: &&OpenPhase| {
            open.operation == operation && open.contender == Contender::Befriend
        };
        let open: Vec<_> = report.open.iter().filter(ours).collect();
        if open.len() < 2 {
            continue;
        }
        let times = |pick: fn(&crate::load::Times) -> f64| {
            open.iter().map(|open| (open.rate, pick(&open.times) / 1000.0)).collect()
        };
        let lines = [
            ("p50", GREEN, times(|t| t.p50)),
            ("p95", BLUE, times(|t| t.p95)),
            ("p99", RED, times(|t| t.p99)),
            ("max", BLACK, times(|t| t.max)),
        ];
        let path = folder.join(format!("latency-{file}.svg"));
        plot(&path, operation.name(), ("calls a second, at a fixed rate", "ms"), &lines)?;
    }
    Ok(())
}

fn plot(path: &Path, title: &str, axes: (&str, &str), lines: &[Line]) -> Result<(), Failure> {
    let points = || lines.iter().flat_map(|line| line.2.iter());
    let (left, right) = points().fold((f64::MAX, 0.0_f64), |(l, r), p| (l.min(p.0), r.max(p.0)));
    let top = points().fold(0.0_f64, |top, point| top.max(point.1)) * 1.1;
    if left >= right || top <= 0.0 {
        return Ok(());
    }
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(72)
        .build_cartesian_2d((left..right).log_scale(), 0.0..top)?;
    chart.configure_mesh().x_desc(axes.0).y_desc(axes.1).draw()?;
    for (name, colour, points) in lines {
        let (colour, style) = (*colour, ShapeStyle::from(colour).stroke_width(2));
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw()?;
    area.present()?;
    Ok(())
}
