//! The charts as a whole: what holds for every kind, whatever it is given.

use proptest::prelude::*;

use super::sketch::{Mark, width};
use super::*;

fn axis(label: &str, unit: Unit) -> Axis {
    Axis { label: label.into(), unit, log: false, from_zero: true }
}

fn series(name: &str, points: &[(f64, f64)]) -> Series {
    Series { name: name.into(), points: points.to_vec(), band: None, emphasis: Emphasis::Normal }
}

fn chart(kind: Kind) -> Chart {
    Chart { title: "a title".into(), subtitle: "a subtitle".into(), kind }
}

fn lines(series: Vec<Series>, shades: Vec<Shade>) -> Chart {
    chart(Kind::Lines {
        series,
        shades,
        x: axis("time", Unit::Seconds),
        span: None,
        y: axis("goodput", Unit::PerSecond),
    })
}

fn strips(rows: Vec<Strip>) -> Chart {
    let strip_legend = ["closed".into(), "open".into(), "half-open".into()];
    chart(Kind::Strips { rows, shades: vec![], x: axis("time", Unit::Seconds), strip_legend })
}

fn bars(groups: Vec<BarGroup>) -> Chart {
    chart(Kind::Bars {
        groups,
        x: "attempts".into(),
        y: axis("recovery time", Unit::Seconds),
        infinite: "never".into(),
    })
}

fn bar(name: &str, value: f64) -> Bar {
    Bar { name: name.into(), value, low: value * 0.9, high: value * 1.1 }
}

fn words(chart: &Chart) -> Vec<String> {
    let texts = sketch(chart).marks.into_iter().filter_map(|mark| match mark {
        Mark::Text(text) => Some(text.words),
        Mark::Stroke { .. } | Mark::Fill { .. } => None,
    });
    texts.collect()
}

/// Every mark lies on the canvas, and so does the whole of every text.
fn assert_all_inside(chart: &Chart) {
    let sketch = sketch(chart);
    let inside = |x: f64, y: f64| (0.0..=sketch.width).contains(&x) && (0.0..=sketch.height).contains(&y);
    for mark in &sketch.marks {
        match mark {
            Mark::Stroke { points, .. } | Mark::Fill { outline: points, .. } => {
                assert!(points.iter().all(|point| inside(point.x, point.y)), "{mark:?} leaves the canvas");
            }
            Mark::Text(text) => {
                let (left, right) = (text.left(), text.left() + width(&text.words, text.size));
                assert!(inside(left, text.at.y - text.size * 0.8), "{mark:?} is cut at the left or the top");
                assert!(inside(right, text.at.y + text.size * 0.25), "{mark:?} is cut at the right or the foot");
            }
        }
    }
}

/// The text elements of an SVG document, as (left, right) in its own units, with the widths of our font.
fn extents(document: &str) -> Vec<(f64, f64)> {
    let attribute = |element: &str, name: &str| {
        let from = element.find(&format!(" {name}=\"")).expect("the attribute is there") + name.len() + 3;
        element[from..].split('"').next().expect("it ends").to_owned()
    };
    let elements = document.split("<text ").skip(1).map(|rest| format!(" {rest}"));
    elements
        .map(|element| {
            let x: f64 = attribute(&element, "x").parse().expect("a number");
            let size: f64 = attribute(&element, "font-size").parse().expect("a number");
            let escaped = element.split_once('>').and_then(|(_, rest)| rest.split_once('<')).expect("words").0.trim();
            let words = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
            let wide = width(&words, size);
            match attribute(&element, "text-anchor").as_str() {
                "start" => (x, x + wide),
                "middle" => (x - wide / 2.0, x + wide / 2.0),
                _ => (x - wide, x),
            }
        })
        .collect()
}

const LONG: &str = "a name that goes on and on, longer than any canvas is wide, and says nothing that a shorter one \
                    would not have said, as such names do, in the hope that somebody reads them to the very end";

fn samples() -> Vec<Chart> {
    let wave: Vec<(f64, f64)> = (0..400).map(|i| (f64::from(i), f64::from(i * i % 700))).collect();
    let mut faint = series(LONG, &wave);
    faint.emphasis = Emphasis::Faint;
    faint.band = Some(wave.iter().map(|(x, y)| (*x, y - 10.0, y + 10.0)).collect());
    let shade = |from, to, label: &str| Shade { from, to, label: label.into() };
    let shades = vec![shade(100.0, 200.0, "slow"), shade(390.0, f64::INFINITY, LONG), shade(150.0, 150.0, "crash")];
    let states = |name: &str| Strip {
        name: name.into(),
        spans: vec![(0.0, 9.0, StripState::Good), (9.0, 12.0, StripState::Bad), (12.0, 13.0, StripState::Between)],
    };
    let group = |name: &str| BarGroup { name: name.into(), bars: vec![bar("with", 3.0), bar(LONG, f64::INFINITY)] };
    let tail: Vec<(f64, f64)> = (1..300).map(|i| (f64::from(i) * 1e-3, 1.0 / f64::from(i))).collect();
    let log = |label: &str, unit| Axis { log: true, ..axis(label, unit) };
    vec![
        lines(vec![faint, series("goodput", &wave)], shades),
        lines((0..12).map(|i| series(&format!("{LONG} {i}"), &wave)).collect(), vec![]),
        strips(vec![states("web/1"), states(LONG), states("web/3")]),
        bars(vec![group("one"), group(LONG), group("three tries with jitter")]),
        bars((0..40).map(|i| group(&format!("{i}00 per second"))).collect()),
        chart(Kind::Distribution {
            series: vec![series("one", &tail)],
            x: log("latency", Unit::Seconds),
            y: log("slower", Unit::Share),
        }),
        Chart { title: LONG.into(), subtitle: format!("{LONG} {LONG}"), ..lines(vec![], vec![]) },
        chart(Kind::Cumulative {
            series: vec![series("one", &steps(20)), series(LONG, &steps(7))],
            x: axis("recovery time", Unit::Seconds),
            y: "share of runs".into(),
        }),
        heat_of_a_sweep(),
        stability_map(),
        frontier(),
        sensitivities(),
        boutique(),
        chart(Kind::Waterfall { rows: request(), x: axis("time", Unit::Seconds) }),
        chart(Kind::Waterfall { rows: (0..40).flat_map(|_| request()).collect(), x: axis("time", Unit::Seconds) }),
    ]
}

/// Shares of so many runs.
fn steps(runs: u32) -> Vec<(f64, f64)> {
    (1..runs).map(|run| (f64::from(run * run), f64::from(run) / f64::from(runs))).collect()
}

fn heat_of_a_sweep() -> Chart {
    let names: Vec<String> = ["1 attempt", "2 attempts", "3 attempts", LONG].map(str::to_owned).to_vec();
    let loads: Vec<f64> = (0..7).map(|step| 100.0 + 50.0 * f64::from(step)).collect();
    let value = |i: usize, j: usize| match i * j {
        18 => f64::INFINITY,
        15 => f64::NAN,
        other => other as f64 * 3.5,
    };
    let cell = |at: f64, half: f64| (at - half, at + half);
    let boxes = (0..names.len())
        .flat_map(|j| loads.iter().enumerate().map(move |(i, load)| (i, j, *load)))
        .map(|(i, j, load)| (Patch { x: cell(load, 25.0), y: cell(j as f64, 0.5) }, value(i, j)))
        .collect();
    let pieces = contour(loads.len(), names.len(), &value, 20.0);
    let pieces = pieces.into_iter().map(|piece| piece.into_iter().map(|(i, j)| (100.0 + 50.0 * i, j)).collect());
    chart(Kind::Heat(Heat {
        x: Side::Numbers(axis("load", Unit::PerSecond)),
        y: Side::Names { label: "attempts".into(), names },
        boxes: Boxes::Values { boxes, of: axis("time to recovery", Unit::Seconds), infinite: "never".into() },
        outlines: vec![Outline { label: "20 s".into(), pieces: pieces.collect(), intervals: vec![] }],
    }))
}

fn stability_map() -> Chart {
    let boundary: Vec<(f64, f64)> = (1..9).map(|step| (f64::from(step), 900.0 / f64::from(step))).collect();
    let bands = boundary.iter().flat_map(|&(x, y)| {
        let column = (x - 0.5, x + 0.5);
        [
            (Patch { x: column, y: (f64::NEG_INFINITY, y * 0.8) }, StripState::Good),
            (Patch { x: column, y: (y * 0.8, y * 1.2) }, StripState::Between),
            (Patch { x: column, y: (y * 1.2, f64::INFINITY) }, StripState::Bad),
        ]
    });
    let log = |label: &str, unit| Axis { log: true, ..axis(label, unit) };
    chart(Kind::Heat(Heat {
        x: Side::Numbers(axis("attempts", Unit::Count)),
        y: Side::Numbers(log("load", Unit::PerSecond)),
        boxes: Boxes::States { boxes: bands.collect(), legend: ["recovers".into(), "does not".into(), "might".into()] },
        outlines: vec![Outline {
            label: "load × attempts = capacity, and where the runs put it".into(),
            intervals: boundary.iter().map(|&(x, y)| [(x, y * 0.9), (x, y * 1.1)]).collect(),
            pieces: vec![boundary],
        }],
    }))
}

fn frontier() -> Chart {
    let dot = |at: (f64, f64), dominated, label: &str| Dot {
        at,
        x: (at.0 * 0.9, at.0 * 1.1),
        y: (at.1 - 8.0, at.1 + 8.0),
        dominated,
        label: label.into(),
    };
    let best = [(0.02, 300.0), (0.05, 520.0), (0.12, 690.0), (0.3, 760.0)];
    let mut points: Vec<Dot> = best.iter().map(|at| dot(*at, false, "")).collect();
    points.extend((1..20).map(|i| dot((0.03 * f64::from(i), 10.0 * f64::from(i * 7 % 43)), true, "")));
    points[1].label = "best".into();
    points[8].label = "shipped default".into();
    points.push(dot((0.5, 700.0), true, LONG));
    chart(Kind::Scatter(Scatter {
        points,
        x: axis("latency", Unit::Seconds),
        y: axis("goodput", Unit::PerSecond),
        better_x: Better::Less,
        better_y: Better::More,
        legend: ["frontier".into(), "beaten in both".into()],
    }))
}

fn sensitivities() -> Chart {
    let row = |name: &str, first: f64, total: f64| BarGroup {
        name: name.into(),
        bars: vec![bar("on its own", first), bar("with all others", total)],
    };
    let rows =
        vec![row("timeout", 0.1, 0.3), row("attempts", 0.55, 0.7), row(LONG, 0.02, 0.02), row("queue", -0.01, 0.1)];
    chart(Kind::Tornado { rows, x: axis("share of the variance", Unit::Share) })
}

fn boutique() -> Chart {
    let names = [
        "users",
        "frontend",
        "checkout",
        "recommendation",
        "ad",
        "cart",
        "shipping",
        "payment",
        "email",
        "catalogue",
        "currency",
        "redis",
    ];
    let state = |part: usize| match part {
        0 => None,
        10 => Some(StripState::Bad),
        9 | 11 => Some(StripState::Between),
        _ => Some(StripState::Good),
    };
    let part = |(number, name): (usize, &&str)| Part {
        name: (*name).into(),
        note: if number == 0 { String::new() } else { format!("busy {}%", 8 * number) },
        state: state(number),
    };
    let calls = [
        (0, 1, 1.0),
        (1, 2, 0.05),
        (1, 3, 0.8),
        (1, 4, 1.0),
        (1, 5, 0.9),
        (1, 6, 0.3),
        (1, 9, 2.4),
        (1, 10, 3.0),
        (2, 5, 0.1),
        (2, 6, 0.1),
        (2, 7, 0.05),
        (2, 8, 0.05),
        (2, 9, 0.15),
        (2, 10, 0.2),
        (3, 9, 0.8),
        (5, 11, 1.0),
        (10, 10, 0.5),
        (9, 1, f64::NAN),
    ];
    let arrow = |(from, to, weight): (usize, usize, f64)| Arrow { from, to, weight, label: Unit::Factor.show(weight) };
    chart(Kind::Flow(Flow {
        parts: names.iter().enumerate().map(part).collect(),
        arrows: calls.into_iter().map(arrow).collect(),
        meaning: "attempts for each request of the users".into(),
        legend: ["calm".into(), "full".into(), "busy".into()],
    }))
}

fn request() -> Vec<Span> {
    let span = |name: &str, depth, parts: &[(f64, f64, Doing)], outcome: &str| Span {
        name: name.into(),
        depth,
        parts: parts.to_vec(),
        outcome: outcome.into(),
    };
    vec![
        span("users.browse", 0, &[(0.0, 1.0, Doing::Waiting)], "timeout"),
        span(
            "front.page",
            1,
            &[(0.0, 0.05, Doing::Queued), (0.05, 0.2, Doing::Served), (0.2, 1.3, Doing::Waiting)],
            "ok",
        ),
        span("back.get, attempt 1", 2, &[(0.2, 0.5, Doing::Queued), (0.5, 0.9, Doing::Wasted)], "timeout"),
        span("pause", 2, &[(0.5, 0.7, Doing::BackingOff)], ""),
        span("back.get, attempt 2", 2, &[(0.7, 1.1, Doing::Queued), (1.1, 1.3, Doing::Wasted)], "ok, too late"),
        span(LONG, 9, &[(0.9, 0.9, Doing::Served)], LONG),
    ]
}

/// Writes the pictures to the folder that is named, to be looked at.
#[test]
#[ignore = "for eyes: CHARTS=folder"]
fn pictures() {
    let folder = std::path::PathBuf::from(std::env::var_os("CHARTS").expect("CHARTS names a folder"));
    for (number, chart) in samples().iter().enumerate() {
        std::fs::write(folder.join(format!("{number:02}.png")), png(chart).unwrap()).unwrap();
        std::fs::write(folder.join(format!("{number:02}.svg")), svg(chart).unwrap()).unwrap();
    }
}

#[test]
fn the_same_chart_gives_the_same_bytes() {
    for chart in samples() {
        assert_eq!(svg(&chart).unwrap(), svg(&chart.clone()).unwrap());
        assert_eq!(png(&chart).unwrap(), png(&chart.clone()).unwrap());
    }
}

#[test]
fn nothing_leaves_the_canvas() {
    for chart in samples() {
        assert_all_inside(&chart);
    }
}

#[test]
fn the_text_elements_of_the_svg_lie_inside_its_view_box() {
    for chart in samples() {
        let document = svg(&chart).unwrap();
        let right_edge: f64 =
            document.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let extents = extents(&document);
        assert!(!extents.is_empty());
        for (left, right) in extents {
            assert!(left >= 0.0 && right <= right_edge, "a text from {left} to {right} in a box of {right_edge}");
        }
    }
}

#[test]
fn the_numbers_of_an_axis_do_not_touch() {
    let chart = lines(vec![series("a", &[(0.0, 0.0), (10_000.0, 1.0)])], vec![]);
    let sketch = sketch(&chart);
    let mut feet: Vec<(f64, f64)> = sketch
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Text(text) if (text.at.y - (sketch.height - 44.0)).abs() < 2.0 => {
                Some((text.left(), text.left() + width(&text.words, text.size)))
            }
            _ => None,
        })
        .collect();
    feet.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(feet.len() > 3, "the x axis has numbers");
    assert!(feet.windows(2).all(|pair| pair[0].1 + 8.0 < pair[1].0), "{feet:?}");
}

#[test]
fn a_png_is_a_png_of_the_size_we_promise() {
    let file = png(&lines(vec![series("a", &[(0.0, 1.0), (1.0, 2.0)])], vec![])).unwrap();
    let reader = ::png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    assert_eq!((reader.info().width, reader.info().height), (960, 480));
}

#[test]
fn hostile_names_stay_text() {
    let name = "<script>alert(\"1\")</script> & 'x' \u{0}\u{1b}\u{202e}";
    let mut chart = lines(vec![series(name, &[(0.0, 1.0), (1.0, 2.0)])], vec![]);
    chart.title = name.into();
    let document = svg(&chart).unwrap();
    assert!(!document.contains("<script") && !document.contains("alert(\""));
    assert!(document.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &apos;x&apos;"));
    assert!(document.chars().all(|letter| letter == '\n' || !letter.is_control()), "control characters are no XML");
    assert!(!document.contains('\u{202e}'), "nothing turns the text around");
    png(&chart).unwrap();
}

#[test]
fn an_empty_chart_says_so_in_every_kind() {
    let nan = [(f64::NAN, 1.0), (1.0, f64::INFINITY)];
    let hollow = Strip { name: "web".into(), spans: vec![] };
    for chart in [
        lines(vec![], vec![Shade { from: 0.0, to: 1.0, label: "slow".into() }]),
        lines(vec![series("a", &nan)], vec![]),
        strips(vec![]),
        strips(vec![hollow]),
        bars(vec![]),
        bars(vec![BarGroup { name: "one".into(), bars: vec![bar("a", f64::NAN)] }]),
        chart(Kind::Cumulative { series: vec![], x: axis("x", Unit::Plain), y: String::new() }),
        chart(Kind::Heat(empty_heat())),
        chart(Kind::Scatter(Scatter {
            points: vec![],
            x: axis("x", Unit::Plain),
            y: axis("y", Unit::Plain),
            better_x: Better::Less,
            better_y: Better::More,
            legend: ["best".into(), "others".into()],
        })),
        chart(Kind::Tornado { rows: vec![], x: axis("x", Unit::Share) }),
        chart(Kind::Flow(Flow { parts: vec![], arrows: vec![], meaning: String::new(), legend: empty_words() })),
        chart(Kind::Waterfall { rows: vec![], x: axis("time", Unit::Seconds) }),
    ] {
        assert!(words(&chart).contains(&"no data".to_owned()), "{:?}", words(&chart));
        assert_all_inside(&chart);
        png(&chart).unwrap();
    }
}

fn empty_words() -> [String; 3] {
    [String::new(), String::new(), String::new()]
}

fn empty_heat() -> Heat {
    Heat {
        x: Side::Numbers(axis("x", Unit::Plain)),
        y: Side::Names { label: "y".into(), names: vec![] },
        boxes: Boxes::States { boxes: vec![], legend: empty_words() },
        outlines: vec![],
    }
}

#[test]
fn a_missing_value_breaks_the_line() {
    let strokes = |points: &[(f64, f64)]| {
        let sketch = sketch(&lines(vec![series("a", points)], vec![]));
        let wide = |mark: &&Mark| matches!(mark, Mark::Stroke { width, .. } if *width == 3.0);
        // One of them is the sample in the legend.
        sketch.marks.iter().filter(wide).count() - 1
    };
    assert_eq!(strokes(&[(0.0, 1.0), (1.0, 2.0), (2.0, 1.0), (3.0, 1.0)]), 1);
    assert_eq!(strokes(&[(0.0, 1.0), (1.0, 2.0), (1.5, f64::NAN), (2.0, 1.0), (3.0, 1.0)]), 2);
    assert_eq!(strokes(&[(0.0, 1.0), (1.0, f64::INFINITY), (2.0, 1.0)]), 0, "lone points are markers");
}

#[test]
fn a_bar_without_end_is_marked_with_the_word() {
    let chart = bars(vec![BarGroup { name: "3 tries".into(), bars: vec![bar("a", 4.0), bar("b", f64::INFINITY)] }]);
    assert!(words(&chart).contains(&"never".to_owned()));
}

#[test]
fn a_line_of_very_many_points_makes_a_small_file() {
    let points: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i), f64::from(i * 7919 % 1000))).collect();
    let size = svg(&lines(vec![series("a", &points)], vec![])).unwrap().len();
    assert!(size < 100_000, "{size} bytes");
}

#[test]
fn a_flapping_breaker_makes_a_small_file() {
    let state = |i: i32| if i % 2 == 0 { StripState::Good } else { StripState::Bad };
    let spans = (0..50_000).map(|i| (f64::from(i), f64::from(i + 1), state(i))).collect();
    let size = svg(&strips(vec![Strip { name: "web".into(), spans }])).unwrap().len();
    assert!(size < 200_000, "{size} bytes");
}

fn odd_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e4..1e4_f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![
            0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 5e-324, 1e-100, 1e99, 1.0, 1e15,
        ]),
    ]
}

fn odd_name() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just(LONG.to_owned()), ".{0,12}", "[a-z/]{1,20}"]
}

fn odd_axis() -> impl Strategy<Value = Axis> {
    use Unit::{Count, Factor, PerSecond, Plain, Seconds, Share};
    let unit = prop::sample::select(vec![Seconds, PerSecond, Share, Count, Factor, Plain]);
    (odd_name(), unit, any::<bool>(), any::<bool>()).prop_map(|(label, unit, log, from_zero)| Axis {
        label,
        unit,
        log,
        from_zero,
    })
}

fn odd_series() -> impl Strategy<Value = Series> {
    let points = prop::collection::vec((odd_number(), odd_number()), 0..30);
    let band = prop::option::of(prop::collection::vec((odd_number(), odd_number(), odd_number()), 0..8));
    let emphasis = prop::sample::select(vec![Emphasis::Normal, Emphasis::Faint]);
    (odd_name(), points, band, emphasis).prop_map(|(name, points, band, emphasis)| Series {
        name,
        points,
        band,
        emphasis,
    })
}

fn odd_kind() -> impl Strategy<Value = Kind> {
    let state = || prop::sample::select(vec![StripState::Good, StripState::Bad, StripState::Between]);
    let shade = || (odd_number(), odd_number(), odd_name()).prop_map(|(from, to, label)| Shade { from, to, label });
    let shades = || prop::collection::vec(shade(), 0..6);
    let all = || prop::collection::vec(odd_series(), 0..5);
    let spans = prop::collection::vec((odd_number(), odd_number(), state()), 0..12);
    let rows = prop::collection::vec((odd_name(), spans).prop_map(|(name, spans)| Strip { name, spans }), 0..5);
    let one = (odd_name(), odd_number(), odd_number(), odd_number());
    let one = one.prop_map(|(name, value, low, high)| Bar { name, value, low, high });
    let group = (odd_name(), prop::collection::vec(one, 0..5)).prop_map(|(name, bars)| BarGroup { name, bars });
    let groups = prop::collection::vec(group, 0..6);
    prop_oneof![
        (all(), shades(), odd_axis(), odd_axis(), odd_number(), odd_number())
            .prop_map(|(series, shades, x, y, from, to)| Kind::Lines { span: Some((from, to)), series, shades, x, y }),
        (all(), odd_axis(), odd_axis()).prop_map(|(series, x, y)| Kind::Distribution { series, x, y }),
        (rows, shades(), odd_axis(), odd_name()).prop_map(|(rows, shades, x, word)| Kind::Strips {
            rows,
            shades,
            x,
            strip_legend: [word.clone(), word.clone(), word],
        }),
        (groups, odd_name(), odd_axis(), odd_name()).prop_map(|(groups, x, y, infinite)| Kind::Bars {
            groups,
            x,
            y,
            infinite
        }),
        (all(), odd_axis(), odd_name()).prop_map(|(series, x, y)| Kind::Cumulative { series, x, y }),
        odd_heat().prop_map(Kind::Heat),
        odd_scatter().prop_map(Kind::Scatter),
        (odd_groups(), odd_axis()).prop_map(|(rows, x)| Kind::Tornado { rows, x }),
        odd_flow().prop_map(Kind::Flow),
        (prop::collection::vec(odd_span(), 0..8), odd_axis()).prop_map(|(rows, x)| Kind::Waterfall { rows, x }),
    ]
}

fn odd_groups() -> impl Strategy<Value = Vec<BarGroup>> {
    let one = (odd_name(), odd_number(), odd_number(), odd_number());
    let one = one.prop_map(|(name, value, low, high)| Bar { name, value, low, high });
    let group = (odd_name(), prop::collection::vec(one, 0..5)).prop_map(|(name, bars)| BarGroup { name, bars });
    prop::collection::vec(group, 0..6)
}

fn odd_state() -> impl Strategy<Value = StripState> {
    prop::sample::select(vec![StripState::Good, StripState::Bad, StripState::Between])
}

fn odd_pair() -> impl Strategy<Value = (f64, f64)> {
    (odd_number(), odd_number())
}

fn odd_heat() -> impl Strategy<Value = Heat> {
    let side = || {
        prop_oneof![
            odd_axis().prop_map(Side::Numbers),
            (odd_name(), prop::collection::vec(odd_name(), 0..30))
                .prop_map(|(label, names)| Side::Names { label, names }),
        ]
    };
    let patch = || (odd_pair(), odd_pair()).prop_map(|(x, y)| Patch { x, y });
    let boxes = prop_oneof![
        (prop::collection::vec((patch(), odd_number()), 0..12), odd_axis(), odd_name())
            .prop_map(|(boxes, of, infinite)| Boxes::Values { boxes, of, infinite }),
        (prop::collection::vec((patch(), odd_state()), 0..12), odd_name())
            .prop_map(|(boxes, word)| Boxes::States { boxes, legend: [word.clone(), word.clone(), word] }),
    ];
    let pieces = prop::collection::vec(prop::collection::vec(odd_pair(), 0..6), 0..3);
    let intervals = prop::collection::vec([odd_pair(), odd_pair()], 0..4);
    let outline =
        (odd_name(), pieces, intervals).prop_map(|(label, pieces, intervals)| Outline { label, pieces, intervals });
    (side(), side(), boxes, prop::collection::vec(outline, 0..4)).prop_map(|(x, y, boxes, outlines)| Heat {
        x,
        y,
        boxes,
        outlines,
    })
}

fn odd_scatter() -> impl Strategy<Value = Scatter> {
    let dot = (odd_pair(), odd_pair(), odd_pair(), any::<bool>(), odd_name());
    let dot = dot.prop_map(|(at, x, y, dominated, label)| Dot { at, x, y, dominated, label });
    let better = || prop::sample::select(vec![Better::Less, Better::More]);
    (prop::collection::vec(dot, 0..12), odd_axis(), odd_axis(), better(), better(), odd_name()).prop_map(
        |(points, x, y, better_x, better_y, word)| Scatter {
            points,
            x,
            y,
            better_x,
            better_y,
            legend: [word.clone(), word],
        },
    )
}

fn odd_flow() -> impl Strategy<Value = Flow> {
    let part = (odd_name(), odd_name(), prop::option::of(odd_state()));
    let part = part.prop_map(|(name, note, state)| Part { name, note, state });
    let arrow = (0..12_usize, 0..12_usize, odd_number(), odd_name());
    let arrow = arrow.prop_map(|(from, to, weight, label)| Arrow { from, to, weight, label });
    (prop::collection::vec(part, 0..10), prop::collection::vec(arrow, 0..20), odd_name()).prop_map(
        |(parts, arrows, word)| Flow {
            parts,
            arrows,
            meaning: word.clone(),
            legend: [word.clone(), word.clone(), word],
        },
    )
}

fn odd_span() -> impl Strategy<Value = Span> {
    use Doing::{BackingOff, Queued, Served, Waiting, Wasted};
    let doing = prop::sample::select(vec![Queued, Served, Waiting, BackingOff, Wasted]);
    let parts = prop::collection::vec((odd_number(), odd_number(), doing), 0..6);
    (odd_name(), any::<u32>(), parts, odd_name()).prop_map(|(name, depth, parts, outcome)| Span {
        name,
        depth,
        parts,
        outcome,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]
    #[test]
    fn whatever_the_input_all_marks_stay_on_the_canvas(title in odd_name(), subtitle in odd_name(), kind in odd_kind()) {
        let chart = Chart { title, subtitle, kind };
        assert_all_inside(&chart);
        svg(&chart).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]
    #[test]
    fn whatever_the_input_there_is_a_png(title in odd_name(), kind in odd_kind()) {
        png(&Chart { title, subtitle: String::new(), kind }).unwrap();
    }
}
