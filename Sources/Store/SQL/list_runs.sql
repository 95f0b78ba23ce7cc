-- name: list_runs
SELECT run_id,
       name,
       kind::text AS kind,
       state::text AS state,
       priority,
       done,
       total,
       unit,
       samples,
       held,
       disagreements,
       depends_on,
       error,
       to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
       elapsed_seconds,
       weight,
       to_char(paused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS paused_at,
       to_char(stranded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS stranded_at,
       coalesce((SELECT a.provisional FROM rrcm.run_audit a WHERE a.run_id = run_progress.run_id), 0) AS provisional
  FROM rrcm.run_progress
 WHERE $1::bigint IS NULL
    OR run_id = $1
 ORDER BY run_id
