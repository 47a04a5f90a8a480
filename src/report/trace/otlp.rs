//! OpenTelemetry's protocol in JSON (OTLP/JSON): a resource for each part, and a span in it for each span that happened there.
//!
//! As the protocol wants it: ids in hexadecimal, 64-bit numbers as text, enums as numbers. The run begins at the Unix epoch.

use serde_json::{Value, json};

use super::{is_edge_of_span, of_event, of_span, span_id, trace_id};
use crate::measure::trace::{Event, Kind, Part, Span, Trace};
use crate::outcome::Outcome;

/// Attributes of this program's own, as the conventions for names want it.
const OWN: &str = "blackstart.";

pub(super) fn text(trace: &Trace) -> String {
    let mut events: Vec<Vec<&Event>> = vec![Vec::new(); trace.spans.len()];
    for event in trace.events.iter().filter(|event| !is_edge_of_span(event)) {
        events[event.span as usize].push(event);
    }
    let resources: Vec<String> = (0..)
        .zip(&trace.parts)
        .filter_map(|(number, part)| {
            let here = trace.spans.iter().zip(&events).filter(|(span, _)| span.part == number);
            let spans: Vec<String> = here.map(|(it, events)| span(trace, it, events).to_string()).collect();
            (!spans.is_empty()).then(|| resource(part, &spans))
        })
        .collect();
    format!("{{\"resourceSpans\":[\n{}\n]}}\n", resources.join(",\n"))
}

fn resource(part: &Part, spans: &[String]) -> String {
    let kind = if part.is_client { "client" } else { "service" };
    let resource =
        json!({ "attributes": [attribute("service.name", &part.name.as_str().into()), own("part", &kind.into())] });
    let scope = json!({ "name": "blackstart", "version": env!("CARGO_PKG_VERSION") });
    format!("{{\"resource\":{resource},\"scopeSpans\":[{{\"scope\":{scope},\"spans\":[\n{}\n]}}]}}", spans.join(",\n"))
}

fn span(trace: &Trace, it: &Span, events: &[&Event]) -> Value {
    let mut value = json!({ "traceId": trace_id(trace, it.request), "spanId": span_id(trace, it) });
    if let Some(parent) = it.parent {
        value["parentSpanId"] = span_id(trace, &trace.spans[parent as usize]).into();
    }
    value["name"] = it.name.as_str().into();
    value["kind"] = match it.kind {
        Kind::Server => 2.into(),
        Kind::Attempt => 3.into(),
        Kind::Request | Kind::Call | Kind::Wait(_) | Kind::Queued | Kind::Served => 1.into(),
    };
    value["startTimeUnixNano"] = it.from.nanos().to_string().into();
    value["endTimeUnixNano"] = it.until.nanos().to_string().into();
    let attributes = of_span(it);
    value["attributes"] = attributes.iter().map(|(name, value)| own(name, value)).collect();
    let events = events.iter().map(|event| {
        let attributes: Value = of_event(event).iter().map(|(name, value)| own(name, value)).collect();
        json!({ "timeUnixNano": event.at.nanos().to_string(), "name": event.what.name(), "attributes": attributes })
    });
    value["events"] = events.collect();
    value["status"] = match it.outcome {
        Some(outcome) if outcome.is_failure() => json!({ "code": 2, "message": outcome.name() }),
        Some(Outcome::Ok | Outcome::Degraded(_)) => json!({ "code": 1 }),
        _ => json!({}),
    };
    value
}

fn own(name: &str, value: &Value) -> Value {
    attribute(&format!("{OWN}{name}"), value)
}

fn attribute(name: &str, value: &Value) -> Value {
    let typed = match value {
        Value::String(text) => json!({ "stringValue": text }),
        Value::Bool(is_so) => json!({ "boolValue": is_so }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        other => json!({ "intValue": other.to_string() }),
    };
    json!({ "key": name, "value": typed })
}
