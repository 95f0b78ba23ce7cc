-- name: draw_audits
-- Draws the audits of an item whose votes are complete: chunks whose number is under the run's share, and of every worker
-- that was not audited in this run yet, or only by itself and is no longer alone, one chunk. Runs before stop_item in the same transaction, so that no certificate is
-- ever shown without them. Drawing twice changes nothing.
WITH posted AS MATERIALIZED (
  SELECT i.run_id,
         k.item_id,
         k.phase,
         k.chunk,
         k.worker_id,
         i.numerics_id,
         p.audit_share,
         rrcm.audit_draw(s.salt, k.item_id, k.phase, k.chunk) AS draw
    FROM rrcm.item i
    JOIN rrcm.certification p USING (run_id)
    JOIN rrcm.audit_salt s USING (run_id)
    JOIN rrcm.chunk_count k USING (item_id)
   WHERE i.item_id = $1
     AND i.revision = $2
     AND i.state IN ('open', 'claimed')
     AND p.audit_share > 0
), newcomers AS MATERIALIZED (
  SELECT DISTINCT ON (posted.worker_id)
         posted.*
    FROM posted
   WHERE NOT EXISTS (
           SELECT
             FROM rrcm.audit a
            WHERE a.run_id = posted.run_id
              AND a.poster_id = posted.worker_id
              AND a.state <> 'void'
              AND (a.state <> 'self_audited'
                   OR NOT EXISTS (
                        SELECT
                          FROM rrcm.worker w
                         WHERE w.worker_id <> posted.worker_id
                           AND w.state = 'live'
                           AND w.numerics_ids @> ARRAY[posted.numerics_id])))
   ORDER BY posted.worker_id, posted.draw
)
INSERT INTO rrcm.audit (run_id, item_id, phase, chunk, cause, poster_id)
SELECT run_id, item_id, phase, chunk, 'drawn', worker_id FROM posted WHERE draw < audit_share
 UNION ALL
SELECT run_id, item_id, phase, chunk, 'worker', worker_id FROM newcomers WHERE draw >= audit_share
ON CONFLICT (item_id, phase, chunk) WHERE state <> 'void' DO NOTHING
RETURNING audit_id
