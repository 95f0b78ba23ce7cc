-- name: item_chunks
-- Every computation of the given items' chunks that is on record: the stored one, and those that differed from it.
SELECT k.item_id,
       k.phase,
       k.chunk,
       true AS stored,
       k.samples,
       k.classes,
       k.votes,
       w.name AS worker,
       k.compute_ms,
       to_char(k.posted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS posted_at
  FROM rrcm.chunk_count k
  JOIN rrcm.worker w USING (worker_id)
 WHERE k.item_id = ANY ($1::bigint[])
 UNION ALL
SELECT d.item_id,
       d.phase,
       d.chunk,
       false,
       rrcm.total(d.posted_votes)::int,
       d.posted_classes,
       d.posted_votes,
       w.name,
       NULL,
       to_char(d.seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  FROM rrcm.disagreement d
  JOIN rrcm.worker w USING (worker_id)
 WHERE d.item_id = ANY ($1::bigint[])
 ORDER BY item_id, phase, chunk, stored DESC, posted_at
