-- name: complete_items
-- Items whose every unit was claimed, or every one that may be as yet, that nobody holds and none of whose units waits, with the units that have votes and
-- the draws that were really made: all of them, or something got lost (heal_items). Duplicates hold nothing.
WITH waiting AS MATERIALIZED (
  SELECT i.item_id,
         i.run_id,
         i.label,
         i.sigma,
         i.numerics_id,
         i.revision,
         i.unit_count,
         i.target_units
    FROM rrcm.item i
    JOIN rrcm.run r USING (run_id)
   WHERE i.state = 'claimed'
     AND r.state = 'running'
     AND NOT EXISTS (SELECT FROM rrcm.lease l WHERE l.item_id = i.item_id AND NOT l.duplicate)
     AND NOT EXISTS (SELECT FROM rrcm.gap g WHERE g.item_id = i.item_id)
   ORDER BY i.item_id
   LIMIT $1
)
SELECT i.item_id,
       i.run_id,
       i.label,
       i.sigma::text AS sigma,
       i.numerics_id,
       i.revision,
       p.mode,
       p.n0,
       p.n,
       p.alpha,
       s.slack,
       drawn.units = coalesce(i.target_units, i.unit_count) AS complete,
       drawn.selection,
       drawn.estimation
  FROM waiting i
  JOIN rrcm.certification p USING (run_id)
  JOIN rrcm.certification_sigma s ON s.run_id = i.run_id AND s.sigma = i.sigma
 CROSS JOIN LATERAL (
   SELECT count(*) AS units,
          coalesce(sum(c.samples) FILTER (WHERE c.phase = 0), 0) AS selection,
          coalesce(sum(c.samples) FILTER (WHERE c.phase = 1), 0) AS estimation
     FROM rrcm.chunk_count c
    WHERE c.item_id = i.item_id
 ) AS drawn
 ORDER BY i.item_id
