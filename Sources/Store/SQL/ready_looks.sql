-- name: ready_looks
-- Items of early-stopping runs whose next look is complete: the selection chunk and every estimation chunk up to it have
-- votes. Only chunks since the last look are counted, and only of items that have been claimed that far.
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
       true AS complete,
       selection.samples AS selection,
       fresh.samples AS estimation,
       i.looks_decided
  FROM rrcm.item i
  JOIN rrcm.run r USING (run_id)
  JOIN rrcm.certification p USING (run_id)
  JOIN rrcm.certification_sigma s ON s.run_id = i.run_id AND s.sigma = i.sigma
 CROSS JOIN LATERAL (
   SELECT coalesce(p.looks[i.looks_decided], 0) AS decided, p.looks[i.looks_decided + 1] AS chunks
 ) AS look
 CROSS JOIN LATERAL (
   SELECT count(*) AS chunks,
          coalesce(sum(c.samples), 0) AS samples
     FROM rrcm.chunk_count c
    WHERE c.item_id = i.item_id
      AND c.phase = 1
      AND c.chunk >= look.decided
      AND c.chunk < look.chunks
 ) AS fresh
  JOIN rrcm.chunk_count selection ON selection.item_id = i.item_id AND selection.phase = 0
 WHERE r.state = 'running'
   AND p.looks <> '{}'
   AND i.state IN ('open', 'claimed')
   AND i.next_unit > look.chunks
   AND fresh.chunks = look.chunks - look.decided
 ORDER BY i.item_id
 LIMIT $1
