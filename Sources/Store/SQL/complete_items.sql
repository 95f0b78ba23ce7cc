-- name: complete_items
-- Items whose every unit has votes and that have no certificate yet, with the draws that were really made.
SELECT i.item_id,
       i.run_id,
       i.label,
       i.sigma::text AS sigma,
       i.numerics_id,
       p.mode,
       p.n0,
       p.n,
       p.alpha,
       s.slack,
       drawn.selection,
       drawn.estimation
  FROM rrcm.item i
  JOIN rrcm.run r USING (run_id)
  JOIN rrcm.certification p USING (run_id)
  JOIN rrcm.certification_sigma s ON s.run_id = i.run_id AND s.sigma = i.sigma
 CROSS JOIN LATERAL (
   SELECT count(*) AS units,
          coalesce(sum(c.samples) FILTER (WHERE c.phase = 0), 0) AS selection,
          coalesce(sum(c.samples) FILTER (WHERE c.phase = 1), 0) AS estimation
     FROM rrcm.chunk_count c
    WHERE c.item_id = i.item_id
 ) AS drawn
 WHERE i.state = 'claimed'
   AND r.state = 'running'
   AND i.unit_count = drawn.units
 ORDER BY i.item_id
 LIMIT $1
