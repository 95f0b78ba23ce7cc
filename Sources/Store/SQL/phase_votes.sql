-- name: phase_votes
-- Votes of one phase of the given items, summed over chunks.
SELECT c.item_id,
       v.class,
       sum(v.votes)::bigint AS votes
  FROM rrcm.chunk_count c
 CROSS JOIN LATERAL unnest(c.classes, c.votes) AS v (class, votes)
 WHERE c.item_id = ANY ($1::bigint[])
   AND c.phase = $2
 GROUP BY c.item_id, v.class
 ORDER BY c.item_id, v.class
