-- name: disputes
-- Disputed audits of running runs with what arbitration must know; $1 seconds is its patience.
SELECT a.audit_id,
       a.run_id,
       a.item_id,
       a.phase,
       a.chunk,
       a.poster_id,
       k.classes,
       k.votes,
       poster.quarantined_at IS NOT NULL AS poster_is_barred,
       c.logits_digest AS trusted_digest,
       EXISTS (
         SELECT
           FROM rrcm.worker w
          WHERE w.state = 'live'
            AND w.quarantined_at IS NULL
            AND w.numerics_ids @> ARRAY[i.numerics_id]
            AND w.worker_id <> a.poster_id
            AND NOT EXISTS (
                  SELECT FROM rrcm.audit_computation x WHERE x.audit_id = a.audit_id AND x.worker_id = w.worker_id)
       ) AS third_is_there,
       a.disputed_at < now() - make_interval(secs => $1) AS overdue
  FROM rrcm.audit a
  JOIN rrcm.item i USING (item_id)
  JOIN rrcm.run r ON r.run_id = a.run_id
  JOIN rrcm.chunk_count k ON k.item_id = a.item_id AND k.phase = a.phase AND k.chunk = a.chunk
  JOIN rrcm.worker poster ON poster.worker_id = k.worker_id
  LEFT JOIN rrcm.canary c
    ON c.checkpoint_digest = r.checkpoint_digest
   AND c.numerics_id = i.numerics_id
   AND c.trusted_at IS NOT NULL
   -- One on which only workers in quarantine agreed tells nothing.
   AND EXISTS (
         SELECT
           FROM rrcm.worker v
          WHERE v.worker_id IN (c.first_worker_id, c.second_worker_id)
            AND v.quarantined_at IS NULL)
 WHERE a.state = 'disputed'
   AND r.state = 'running'
 ORDER BY a.audit_id
 LIMIT 1000
