//! From a client's filter to the hub's, or to the mistake in it.
//!
//! Invariant: a node has what its operation needs, and nothing else. So a client that misspells a filter is told, rather
//! than left without publications.

use std::sync::Arc;

use fanfare_core::{
    TagFilter,
    filter::{Comparison, Condition, Test},
};

use super::wire::FilterNode;

/// The filter that a client means.
///
/// # Errors
/// The mistake in it.
pub(super) fn filter(node: FilterNode) -> Result<Arc<TagFilter>, String> {
    let filter = TagFilter::new(condition(node)?);
    filter.map(Arc::new).map_err(|error| error.to_string())
}

/// Both encodings bound how deep a node can be, so this ends.
fn condition(node: FilterNode) -> Result<Condition, String> {
    match &*node.op {
        "" => leaf(node),
        "and" => Ok(Condition::All(conditions(node)?)),
        "or" => Ok(Condition::Any(conditions(node)?)),
        "not" => match <[_; 1]>::try_from(conditions(node)?) {
            Ok([condition]) => Ok(Condition::Not(Box::new(condition))),
            Err(_) => Err("a `not` in `tf` has exactly one node: use `and` or `or` inside of it".to_owned()),
        },
        _ => {
            Err("an `op` in `tf` is not known: use `and`, `or` or `not`, or none in a comparison".to_owned())
        }
    }
}

fn conditions(node: FilterNode) -> Result<Vec<Condition>, String> {
    if node.nodes.is_empty() {
        return Err(format!("an `{}` in `tf` has no `nodes`: give it at least one", node.op));
    }
    node.nodes.into_iter().map(condition).collect()
}

fn leaf(node: FilterNode) -> Result<Condition, String> {
    let FilterNode { key, cmp, val, vals, .. } = node;
    let test = match &*cmp {
        "ex" | "nex" => {
            if !val.is_empty() || !vals.is_empty() {
                return Err(format!("`{cmp}` in `tf` compares to nothing: leave `val` and `vals` out"));
            }
            return Ok(Condition::Tag {
                name: key,
                test: if cmp == "ex" { Test::Exists } else { Test::Absent },
            });
        }
        "in" | "nin" => {
            if vals.is_empty() || !val.is_empty() {
                return Err(format!("`{cmp}` in `tf` compares to a list: give it `vals`, and no `val`"));
            }
            if cmp == "in" { Test::In(vals) } else { Test::NotIn(vals) }
        }
        _ => {
            let test = text_test(&cmp).ok_or("a `cmp` in `tf` is missing or not known: use eq, neq, in, nin, ex, nex, sw, ew, ct, gt, gte, lt or lte")?;
            if val.is_empty() || !vals.is_empty() {
                return Err(format!("`{cmp}` in `tf` compares to one text: give it `val`, and no `vals`"));
            }
            test(val)
        }
    };
    if key.is_empty() {
        return Err(format!("`{cmp}` in `tf` compares a tag: give its name as `key`"));
    }
    Ok(Condition::Tag { name: key, test })
}

/// The test of a comparison to one text.
fn text_test(cmp: &str) -> Option<fn(String) -> Test> {
    Some(match cmp {
        "eq" => Test::Is,
        "neq" => Test::IsNot,
        "sw" => Test::StartsWith,
        "ew" => Test::EndsWith,
        "ct" => Test::Contains,
        "gt" => |number| Test::Compares(Comparison::Greater, number),
        "gte" => |number| Test::Compares(Comparison::GreaterOrEqual, number),
        "lt" => |number| Test::Compares(Comparison::Less, number),
        "lte" => |number| Test::Compares(Comparison::LessOrEqual, number),
        _ => return None,
    })
}
