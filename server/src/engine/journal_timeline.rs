//! The timeline's tables: spans by their beginning, and marks. Kept for a week.

use app::model::{LaneSpan, Timeline, TimelineMark, UnixMillis};
use rusqlite::{Connection, Row, params};

use super::journal_db::{decode, encode};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS timeline_spans (
    cluster TEXT NOT NULL, component TEXT NOT NULL, lane TEXT NOT NULL, state TEXT NOT NULL,
    began INTEGER NOT NULL, ended INTEGER NOT NULL,
    PRIMARY KEY (cluster, component, lane, began)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS timeline_spans_by_end ON timeline_spans (cluster, ended);
CREATE TABLE IF NOT EXISTS timeline_marks (
    cluster TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, component TEXT, words TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS timeline_marks_by_time ON timeline_marks (cluster, at);
";
const KEPT_MS: i64 = 7 * 24 * 3600 * 1000;
/// A window with more than this is cut; nobody can look at it.
const MOST_SPANS: i64 = 200_000;
const MOST_MARKS: i64 = 2_000;

pub(super) fn forget_old(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM timeline_spans WHERE ended < unixepoch() * 1000 - ?1",
        [KEPT_MS],
    )?;
    connection.execute(
        "DELETE FROM timeline_marks WHERE at < unixepoch() * 1000 - ?1",
        [KEPT_MS],
    )?;
    Ok(())
}

pub(super) fn write(
    connection: &Connection,
    cluster: &str,
    spans: &[LaneSpan],
    marks: &[TimelineMark],
) -> rusqlite::Result<usize> {
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO timeline_spans (cluster, component, lane, state, began, ended)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for span in spans {
        put.execute(params![
            cluster,
            span.component.as_str(),
            encode(&span.lane),
            encode(&span.state),
            span.from.0,
            span.to.0
        ])?;
    }
    let mut put = connection.prepare_cached(
        "INSERT INTO timeline_marks (cluster, at, kind, component, words) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for mark in marks {
        let component = mark.component.as_ref().map(|name| name.as_str());
        put.execute(params![
            cluster,
            mark.at.0,
            encode(&mark.kind),
            component,
            mark.words
        ])?;
    }
    Ok(spans.len() + marks.len())
}

pub(super) fn read(
    connection: &Connection,
    cluster: &str,
    from: UnixMillis,
    to: UnixMillis,
) -> rusqlite::Result<Timeline> {
    let spans = connection
        .prepare_cached(
            "SELECT component, lane, state, began, ended FROM timeline_spans
             WHERE cluster = ?1 AND ended > ?2 AND began < ?3
             ORDER BY component, lane, began LIMIT ?4",
        )?
        .query_map(params![cluster, from.0, to.0, MOST_SPANS], span)?
        .filter_map(Result::transpose)
        .collect::<rusqlite::Result<_>>()?;
    let marks = connection
        .prepare_cached(
            "SELECT at, kind, component, words FROM timeline_marks
             WHERE cluster = ?1 AND at >= ?2 AND at < ?3 ORDER BY at LIMIT ?4",
        )?
        .query_map(params![cluster, from.0, to.0, MOST_MARKS], mark)?
        .filter_map(Result::transpose)
        .collect::<rusqlite::Result<_>>()?;
    Ok(Timeline {
        from,
        to,
        spans,
        marks,
    })
}

/// None for words of another version.
fn span(row: &Row<'_>) -> rusqlite::Result<Option<LaneSpan>> {
    let (Ok(component), Some(lane), Some(state)) = (
        row.get::<_, String>(0)?.parse(),
        decode(&row.get::<_, String>(1)?),
        decode(&row.get::<_, String>(2)?),
    ) else {
        return Ok(None);
    };
    Ok(Some(LaneSpan {
        component,
        lane,
        state,
        from: UnixMillis(row.get(3)?),
        to: UnixMillis(row.get(4)?),
    }))
}

fn mark(row: &Row<'_>) -> rusqlite::Result<Option<TimelineMark>> {
    let Some(kind) = decode(&row.get::<_, String>(1)?) else {
        return Ok(None);
    };
    Ok(Some(TimelineMark {
        at: UnixMillis(row.get(0)?),
        kind,
        component: row
            .get::<_, Option<String>>(2)?
            .and_then(|name| name.parse().ok()),
        words: row.get(3)?,
    }))
}

#[cfg(test)]
mod tests {
    use app::model::{Lane, LaneState, MarkKind};

    use super::*;

    #[test]
    fn a_window_has_what_touches_it_and_a_span_grows_in_place() {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch(SCHEMA).expect("tables");
        let span = |from, to| LaneSpan {
            component: "app".parse().expect("a name"),
            lane: Lane::Readiness,
            state: LaneState::Pass,
            from: UnixMillis(from),
            to: UnixMillis(to),
        };
        let mark = TimelineMark {
            at: UnixMillis(15),
            kind: MarkKind::Restart,
            component: "app".parse().ok(),
            words: "app was restarted".into(),
        };
        write(
            &connection,
            "c",
            &[span(0, 5), span(10, 11)],
            std::slice::from_ref(&mark),
        )
        .expect("written");
        write(&connection, "c", &[span(10, 20)], &[]).expect("written");
        write(&connection, "other", &[span(0, 50)], &[]).expect("written");
        let window = read(&connection, "c", UnixMillis(8), UnixMillis(30)).expect("read");
        assert_eq!(window.spans, [span(10, 20)]);
        assert_eq!(window.marks, [mark]);
        let before = read(&connection, "c", UnixMillis(0), UnixMillis(8)).expect("read");
        assert_eq!((before.spans.len(), before.marks.len()), (1, 0));
        // Long past what is kept.
        forget_old(&connection).expect("forgotten");
        let window = read(&connection, "c", UnixMillis(0), UnixMillis(30)).expect("read");
        assert!(window.spans.is_empty() && window.marks.is_empty());
    }
}
