-- name: list_sweeps
-- All sweeps with their progress, or one.
SELECT sweep_id,
       name,
       state::text AS state,
       method,
       metric,
       sigma::text AS sigma,
       goal,
       trials,
       done,
       failed,
       stopped,
       open,
       running,
       share,
       to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
       elapsed_seconds
  FROM rrcm.sweep_progress
 WHERE $1::bigint IS NULL
    OR sweep_id = $1
 ORDER BY sweep_id
