//! `junit.xml`: the claims as tests, for programs that gather those of a build.
//!
//! A test suite for the experiment, a test case for each claim at each point it is about, and one that says whether all runs came to
//! their end. A claim that does not hold, or cannot be decided, is a failure, whose `type` says which; a run that a limit has stopped is
//! an error. No times and no machine: equal inputs, equal bytes. The form is that of Jenkins' schema, which other programs
//! read too.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::words;
use crate::experiment::{Holds, Judged, Swept};
use crate::scenario::Scenario;

/// The name of the test case about the runs themselves.
const RUNS: &str = "every run comes to its end";

/// The file.
///
/// # Errors
/// When it cannot be written to memory, which no input is known to cause.
pub(super) fn write(scenario: &Scenario, swept: &Swept) -> io::Result<Vec<u8>> {
    let failures = swept.claims.iter().filter(|claim| claim.holds != Holds::Yes).count().to_string();
    let tests = (swept.claims.len() + 1).to_string();
    let errors = if swept.stopped() { "1" } else { "0" };
    let all = [("tests", tests.as_str()), ("failures", &failures), ("errors", errors), ("skipped", "0")];
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let name = ("name", plain(&scenario.name));
    let suite = |writer: &mut Writer<Vec<u8>>| {
        let element = writer.create_element("testsuite").with_attribute((name.0, name.1.as_str())).with_attributes(all);
        element.write_inner_content(|writer| {
            ended(writer, scenario, swept)?;
            swept.claims.iter().try_for_each(|claim| case(writer, scenario, claim))
        })?;
        Ok(())
    };
    writer.create_element("testsuites").with_attributes(all[..3].iter().copied()).write_inner_content(suite)?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

/// Whether all runs came to their end.
fn ended(writer: &mut Writer<Vec<u8>>, scenario: &Scenario, swept: &Swept) -> io::Result<()> {
    let name = plain(&scenario.name);
    let element = writer.create_element("testcase").with_attributes([("classname", name.as_str()), ("name", RUNS)]);
    let stopped: Vec<String> = swept
        .points
        .iter()
        .enumerate()
        .flat_map(|(number, point)| {
            let place = words::place(scenario, number);
            let stopped = point.seeds.iter().zip(&point.stopped);
            stopped.filter_map(move |(seed, why)| Some(format!("{place}seed {seed}: {}", why.as_ref()?)))
        })
        .collect();
    if stopped.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|writer| {
        let error = writer.create_element("error").with_attribute(("type", "stopped"));
        error.write_text_content(BytesText::new(&plain(&stopped.join("\n"))))?;
        Ok(())
    })?;
    Ok(())
}

/// A claim at a point.
fn case(writer: &mut Writer<Vec<u8>>, scenario: &Scenario, claim: &Judged) -> io::Result<()> {
    let place = words::place(scenario, claim.point);
    let (class, name) = (plain(&scenario.name), plain(&format!("{place}{}", claim.claim)));
    let element = writer.create_element("testcase").with_attributes([("classname", &*class), ("name", &*name)]);
    if claim.holds == Holds::Yes {
        element.write_empty()?;
        return Ok(());
    }
    let said = plain(&format!("{}, claimed {}: {}", words::claimed(claim), claim.bound, words::holds(claim)));
    let kind = if claim.holds == Holds::No { "does not hold" } else { "undecided" };
    element.write_inner_content(|writer| {
        writer.create_element("failure").with_attributes([("type", kind), ("message", said.as_str())]).write_empty()?;
        Ok(())
    })?;
    Ok(())
}

/// Without the characters that XML 1.0 has no way to write.
fn plain(text: &str) -> String {
    let fits = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(fits).collect()
}
