//! Users and their block lists.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Form, Refusal};
use crate::{
    domain::{Nickname, Username},
    ops::{Call, blocks, users},
};

/// The longest token that a caller can choose, in characters.
const MAX_TOKEN: usize = 128;

/// Creates a user. The token is told back as the vendor does, and not kept: nobody logs in here.
pub(super) async fn create(form: Form, call: Call) -> Result<Value, Refusal> {
    let accid = form.user("accid")?;
    let name = form.get("name").unwrap_or_default();
    let nickname = Nickname::parse("name", name)?;
    let token = match form.get("token") {
        Some(token) if token.chars().count() > MAX_TOKEN => {
            return Err(Refusal::parameter(format!(
                "token: must be at most {MAX_TOKEN} characters long"
            )));
        }
        Some(token) if !token.is_empty() => token.to_owned(),
        _ => Uuid::new_v4().simple().to_string(),
    };
    users::create(&call, &[(accid.clone(), nickname)]).await?;
    let info = json!({ "token": token, "accid": accid.as_str(), "name": name });
    Ok(json!({ "code": 200, "info": info }))
}

/// Blocks or unblocks a user.
pub(super) async fn set_special_relation(form: Form, call: Call) -> Result<Value, Refusal> {
    let (accid, target) = (form.user("accid")?, form.user("targetAcc")?);
    match form.number("relationType")? {
        1 => {}
        2 => return Err(Refusal::parameter("relationType 2: mute lists are not kept here")),
        _ => return Err(Refusal::parameter("relationType must be 1 or 2")),
    }
    // An absent value clears: the vendor's Go SDK sends no zeros.
    match form.number_or("value", 0)? {
        1 => drop(blocks::block(&call, &accid, &[target]).await?),
        0 => drop(blocks::unblock(&call, &accid, &target).await?),
        _ => return Err(Refusal::parameter("value must be 0 or 1")),
    }
    Ok(json!({ "code": 200 }))
}

/// The whole block list, the newest first. Mute lists are not kept, so nobody's has an entry.
pub(super) async fn list_black_and_mute_list(form: Form, call: Call) -> Result<Value, Refusal> {
    let accid = form.user("accid")?;
    let blocked = blocks::list_whole(&call, &accid).await?;
    let blocked: Vec<&str> = blocked.iter().map(Username::as_str).collect();
    Ok(json!({ "code": 200, "mutelist": [], "blacklist": blocked }))
}
