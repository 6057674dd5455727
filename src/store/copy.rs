//! Rows for COPY, the fastest way into a table.

use std::fmt::Write as _;

use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::domain::{Error, OwnerKey};

/// Rows in COPY's text format: tabs between the columns, `\N` for null, and a backslash before a character
/// that would mean one of these.
#[derive(Default)]
pub(super) struct Rows(String);

impl Rows {
    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        write!(self.0, "{number}\t").expect("a string takes everything");
        self
    }

    pub(super) fn uuid(&mut self, key: OwnerKey) -> &mut Self {
        write!(self.0, "{}\t", key.as_uuid().simple()).expect("a string takes everything");
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '\\' => self.0 += "\\\\",
                '\t' => self.0 += "\\t",
                '\n' => self.0 += "\\n",
                '\r' => self.0 += "\\r",
                other => self.0.push(other),
            }
        }
        self.0.push('\t');
        self
    }

    pub(super) fn optional(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => {
                self.0 += "\\N\t";
                self
            }
        }
    }

    pub(super) fn time(&mut self, time: Option<OffsetDateTime>) -> Result<&mut Self, Error> {
        let text = time.map(|time| time.format(&Rfc3339)).transpose();
        let text = text.map_err(|error| Error::Internal(format!("a record's time: {error}")))?;
        Ok(self.optional(text.as_deref()))
    }

    pub(super) fn end(&mut self) {
        self.0.pop();
        self.0.push('\n');
    }

    pub(super) async fn copy(self, db: &mut PgConnection, statement: &str) -> Result<(), Error> {
        let mut copy = db.copy_in_raw(statement).await?;
        if let Err(error) = copy.send(self.0.as_bytes()).await {
            copy.abort("the rows could not be sent").await?;
            return Err(error.into());
        }
        copy.finish().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_hold_what_separates_columns_and_rows() {
        let mut rows = Rows::default();
        rows.text("a\tb\\N\r\n").optional(None).optional(Some("")).text("好").end();
        assert_eq!(rows.0, "a\\tb\\\\N\\r\\n\t\\N\t\t好\n");
    }
}
