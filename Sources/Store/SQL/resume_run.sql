-- name: resume_run
-- Lets a paused run go on. The row tells whether it was paused; no row back means it has ended.
WITH known AS MATERIALIZED (
  SELECT run_id,
         paused_at IS NOT NULL AS was_paused
    FROM rrcm.run
   WHERE run_id = $1
     AND finished_at IS NULL
     FOR NO KEY UPDATE
)
UPDATE rrcm.run r
   SET paused_at = NULL
  FROM known
 WHERE r.run_id = known.run_id
RETURNING known.was_paused
