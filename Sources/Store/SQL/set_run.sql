-- name: set_run
-- Changes how soon and how much a run that has not ended is served; null keeps a figure. Claims look at it each time.
WITH known AS MATERIALIZED (
  SELECT run_id,
         priority,
         weight
    FROM rrcm.run
   WHERE run_id = $1
     AND finished_at IS NULL
     FOR NO KEY UPDATE
)
UPDATE rrcm.run r
   SET priority = coalesce($2, r.priority),
       weight = coalesce($3, r.weight)
  FROM known
 WHERE r.run_id = known.run_id
RETURNING known.priority AS old_priority, known.weight AS old_weight, r.priority, r.weight
