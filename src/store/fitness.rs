//! What a database must be for the service to work on it: its version, its encoding, whose migrations it
//! has, and what the role may do.

use sqlx::{PgConnection, migrate::Migrator, query_as, query_scalar};

/// The oldest Postgres that the service runs on, as `server_version_num` has it.
const OLDEST_SERVER: i32 = 150_000;

/// Why the service can't work on a database.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The server is too old.
    #[error("the server is Postgres {0}: befriend needs version 15 or newer")]
    TooOld(String),
    /// Names and remarks would not be kept as they are.
    #[error(
        "its encoding is {0}, and befriend needs UTF8: create a database with \
         `create database … encoding 'UTF8' template template0`"
    )]
    Encoding(String),
    /// The database belongs to another program.
    #[error(
        "its table _sqlx_migrations is another program's ({0}): give befriend a database of its own"
    )]
    Foreign(String),
    /// The database has a table that befriend would make.
    #[error("it has a table {0} that befriend did not make: give befriend a database of its own")]
    Occupied(String),
    /// Tables that the migrations made are gone.
    #[error("tables are missing that the migrations have made: {0}; restore them from a backup")]
    MissingTables(String),
    /// The role sees no schema.
    #[error(
        "the role {0} may use no schema of its search_path: `grant usage on schema public to …`; \
         docs/database.md has the grants"
    )]
    NoSchema(String),
    /// The role lacks privileges.
    #[error("the role {role} lacks privileges: {missing}; docs/database.md has the grants")]
    Privileges {
        /// The role.
        role: String,
        /// What it lacks, as "insert on users".
        missing: String,
    },
    /// The database could not be asked.
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
}

/// Checks what no migration changes: the server's version, the database's encoding, and that the role sees a
/// schema.
pub(super) async fn check_server(db: &mut PgConnection) -> Result<(), Unfit> {
    let (number, version, encoding, sees_a_schema): (i32, String, String, bool) = query_as(
        "select current_setting('server_version_num')::integer, current_setting('server_version'), \
         current_setting('server_encoding'), current_schema() is not null",
    )
    .fetch_one(&mut *db)
    .await?;
    if number < OLDEST_SERVER {
        return Err(Unfit::TooOld(version));
    }
    if encoding != "UTF8" {
        return Err(Unfit::Encoding(encoding));
    }
    if !sees_a_schema {
        return Err(Unfit::NoSchema(role(db).await?));
    }
    Ok(())
}

/// Checks that the migrations can make their tables: that the role may, and, where none has run yet, that
/// none of the tables is there.
pub(super) async fn check_room(
    db: &mut PgConnection,
    ours: &Migrator,
    applied: i64,
) -> Result<(), Unfit> {
    let (schema, may_create): (String, bool) =
        query_as("select current_schema()::text, has_schema_privilege(current_schema(), 'create')")
            .fetch_one(&mut *db)
            .await?;
    if !may_create {
        let missing = format!("create on schema {schema}");
        return Err(Unfit::Privileges { role: role(db).await?, missing });
    }
    let taken = tables(ours).into_iter().filter(|_| applied == 0).collect();
    let there = find_tables(db, taken, true).await?;
    // Another instance may have begun to migrate meanwhile.
    if there.is_empty() || applied_version(db, ours).await? > 0 {
        return Ok(());
    }
    Err(Unfit::Occupied(there.join(", ")))
}

/// The number of the newest of our migrations that ran: 0 in an empty database, and more than we have in
/// that of a newer befriend.
pub(super) async fn applied_version(db: &mut PgConnection, ours: &Migrator) -> Result<i64, Unfit> {
    let is_there: bool = query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *db)
        .await?;
    if !is_there {
        return Ok(0);
    }
    let applied: Result<Vec<(i64, Vec<u8>, bool)>, sqlx::Error> =
        query_as("select version, checksum, success from _sqlx_migrations order by version")
            .fetch_all(&mut *db)
            .await;
    let applied = match applied {
        Err(error) if has_code(&error, "42501") => {
            let missing = "select on _sqlx_migrations".to_owned();
            return Err(Unfit::Privileges { role: role(db).await?, missing });
        }
        Err(error) if has_code(&error, "42703") => {
            return Err(Unfit::Foreign("it has other columns".to_owned()));
        }
        applied => applied?,
    };
    let last = ours.iter().map(|migration| migration.version).max().unwrap_or(0);
    let mut newest = 0;
    for (version, checksum, success) in applied {
        match ours.iter().find(|migration| migration.version == version) {
            Some(migration) if *migration.checksum == *checksum => {}
            // Ours come before those of a newer befriend.
            None if newest >= last => {}
            _ => return Err(Unfit::Foreign(format!("version {version}"))),
        }
        if success {
            newest = version;
        }
    }
    Ok(newest)
}

/// Checks that the role may read and write the tables that the migrations make.
pub(super) async fn check_privileges(db: &mut PgConnection, ours: &Migrator) -> Result<(), Unfit> {
    let gone = find_tables(db, tables(ours), false).await?;
    if !gone.is_empty() {
        return Err(Unfit::MissingTables(gone.join(", ")));
    }
    let missing: Vec<String> = query_scalar(
        "select format('%s on %s', p.name, t.name)
         from unnest($1::text[]) t (name)
         cross join unnest(array['select', 'insert', 'update', 'delete']) p (name)
         where not has_table_privilege(to_regclass(t.name), p.name)
           -- No record is changed, and none removed unless there is a retention.
           and not (t.name = 'audit_events' and p.name in ('update', 'delete'))
         order by t.name, p.name",
    )
    .bind(tables(ours))
    .fetch_all(&mut *db)
    .await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Unfit::Privileges { role: role(db).await?, missing: missing.join(", ") })
}

/// The tables that the migrations make.
fn tables(ours: &Migrator) -> Vec<&str> {
    let lines = ours.iter().flat_map(|migration| migration.sql.as_str().lines());
    lines.filter_map(|line| line.strip_prefix("create table ")?.split(' ').next()).collect()
}

/// Those of the tables that are there, or those that are not.
async fn find_tables(
    db: &mut PgConnection,
    names: Vec<&str>,
    there: bool,
) -> Result<Vec<String>, sqlx::Error> {
    query_scalar(
        "select t.name from unnest($1::text[]) t (name)
         where (to_regclass(t.name) is not null) = $2 order by t.name",
    )
    .bind(names)
    .bind(there)
    .fetch_all(db)
    .await
}

/// Whether the server answered with this SQLSTATE: 42501 is insufficient_privilege, 42703 undefined_column.
fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|found| found == code)
}

async fn role(db: &mut PgConnection) -> Result<String, sqlx::Error> {
    query_scalar("select current_user::text").fetch_one(db).await
}
