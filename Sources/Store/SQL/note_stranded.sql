-- name: note_stranded
-- Notes since when running runs have work that no live worker has shown to compute, with one event when that begins, and
-- forgets it once it is over. Items are looked at only where a glance at the run's ids does not answer.
WITH seen AS MATERIALIZED (
  SELECT r.run_id,
         CASE
           WHEN cardinality(r.numerics_ids) = 1
                AND EXISTS (SELECT FROM rrcm.worker w WHERE w.state <> 'gone' AND w.numerics_ids && r.numerics_ids)
             THEN false
           ELSE EXISTS (SELECT FROM rrcm.stranded_item s WHERE s.run_id = r.run_id)
         END AS is_stranded
    FROM rrcm.run r
   WHERE r.kind = 'certify'
     AND r.state = 'running'
), began AS (
  UPDATE rrcm.run r
     SET stranded_at = now()
    FROM seen
   WHERE r.run_id = seen.run_id
     AND seen.is_stranded
     AND r.stranded_at IS NULL
  RETURNING r.run_id
), over AS (
  UPDATE rrcm.run r
     SET stranded_at = NULL
    FROM seen
   WHERE r.run_id = seen.run_id
     AND NOT seen.is_stranded
     AND r.stranded_at IS NOT NULL
)
INSERT INTO rrcm.event (kind, run_id, detail)
SELECT 'run_stranded',
       began.run_id,
       (SELECT format('%s items wait for a worker of %s', count(DISTINCT s.item_id), string_agg(DISTINCT id, ', '))
          FROM rrcm.stranded_item s
         CROSS JOIN LATERAL unnest(s.numerics_ids) AS id
         WHERE s.run_id = began.run_id)
  FROM began
RETURNING run_id
