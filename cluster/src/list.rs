//! Lists, page by page, so that a large cluster doesn't have to answer in one piece.

use http::Method;
use mesh::object::{Id, Object};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{About, Failure, send};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds::Kind;

/// kubectl's page.
const PAGE: usize = 500;

/// Which objects of a kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Query<'a> {
    /// None: all namespaces.
    pub namespace: Option<&'a str>,
    /// A label selector.
    pub labels: Option<&'a str>,
    /// Only objects of this name.
    pub name: Option<&'a str>,
}

/// All objects of a kind. A kind that the server doesn't serve has none.
pub(crate) async fn list<T: DeserializeOwned>(
    connection: &Connection,
    kind: &Kind,
    query: Query<'_>,
) -> Result<Vec<T>, ClusterError> {
    let about = About {
        namespace: query.namespace.map(str::to_owned),
        ..About::all("list", kind.resource())
    };
    let selector = query
        .labels
        .map(|labels| format!("&labelSelector={}", encode(labels)))
        .unwrap_or_default();
    let name = query
        .name
        .map(|name| {
            format!(
                "&fieldSelector={}",
                encode(&format!("metadata.name={name}"))
            )
        })
        .unwrap_or_default();
    let all = format!("{}?limit=", kind.collection(query.namespace));
    let mut items = Vec::new();
    let mut next = String::new();
    let mut page_size = PAGE;
    let mut expired = 0;
    loop {
        let page = match send(
            connection,
            &about,
            Method::GET,
            &format!("{all}{page_size}{selector}{name}{next}"),
            None,
        )
        .await
        {
            Ok(answer) => answer.body,
            Err(Failure::Status(status)) if status.code == 404 => return Ok(Vec::new()),
            // The page's token is too old (etcd compacts after five minutes): from the start, and the second time whole.
            Err(Failure::Status(status)) if status.code == 410 && !next.is_empty() => {
                items.clear();
                next.clear();
                expired += 1;
                if expired > 1 {
                    page_size = 0;
                }
                continue;
            }
            Err(failure) => return Err(about.error(connection, failure)),
        };
        let token = page
            .pointer("/metadata/continue")
            .and_then(Value::as_str)
            .unwrap_or_default();
        next = format!("&continue={}", encode(token));
        let is_last = token.is_empty();
        read(&about, page, kind, &mut items)?;
        if is_last {
            return Ok(items);
        }
    }
}

/// The first few objects of a kind in all namespaces. A kind that the server doesn't serve has none.
pub(crate) async fn some(connection: &Connection, kind: &Kind) -> Result<Vec<Id>, ClusterError> {
    const FEW: usize = 5;
    let about = About::all("list", kind.resource());
    let path = format!("{}?limit={FEW}", kind.collection(None));
    let page = match send(connection, &about, Method::GET, &path, None).await {
        Ok(answer) => answer.body,
        Err(Failure::Status(status)) if status.code == 404 => return Ok(Vec::new()),
        Err(failure) => return Err(about.error(connection, failure)),
    };
    let mut items: Vec<Value> = Vec::new();
    read(&about, page, kind, &mut items)?;
    let objects = items.into_iter().filter_map(|item| Object::new(item).ok());
    Ok(objects.map(|object| object.id()).collect())
}

/// Items of a list don't say their kind; the list does.
fn read<T: DeserializeOwned>(
    about: &About,
    mut page: Value,
    kind: &Kind,
    items: &mut Vec<T>,
) -> Result<(), ClusterError> {
    let list_kind = page.get("kind").and_then(Value::as_str).unwrap_or_default();
    let item_kind = list_kind
        .strip_suffix("List")
        .unwrap_or(list_kind)
        .to_owned();
    let Some(Value::Array(values)) = page.get_mut("items").map(Value::take) else {
        return Ok(());
    };
    for mut value in values {
        if let Some(object) = value.as_object_mut() {
            object
                .entry("kind")
                .or_insert_with(|| item_kind.clone().into());
            object
                .entry("apiVersion")
                .or_insert_with(|| kind.api_version.clone().into());
        }
        let item =
            serde_json::from_value(value).map_err(|error| about.answer(error.to_string()))?;
        items.push(item);
    }
    Ok(())
}

/// Percent-encoding for a query's value.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn selectors_and_tokens_survive_a_url() {
        assert_eq!(
            encode("istio.io/rev=a,b in (c)&x=1+2"),
            "istio.io%2Frev%3Da%2Cb%20in%20%28c%29%26x%3D1%2B2"
        );
    }
}
