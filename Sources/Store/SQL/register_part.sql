-- name: register_part
-- A coordinator or aggregator is there. Those that have been silent for an hour are forgotten.
WITH forgotten AS (
  DELETE FROM rrcm.part
   WHERE beat_at < now() - interval '1 hour'
)
INSERT INTO rrcm.part (kind, host, pid, software)
VALUES ($1::rrcm.part_kind, $2, $3, $4)
RETURNING part_id
