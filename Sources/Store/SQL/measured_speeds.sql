-- name: measured_speeds
-- Live workers with the speed at which each computed networks of the given shape, out of votes it posted; null for those
-- that have not yet. A few hundred chunks are enough.
SELECT w.name,
       measured.samples / nullif(measured.seconds, 0) AS samples_per_second
  FROM rrcm.worker w
  LEFT JOIN LATERAL (
    SELECT sum(chunk.samples)::double precision AS samples,
           sum(chunk.compute_ms)::double precision / 1000 AS seconds
      FROM (
        SELECT k.samples,
               k.compute_ms
          FROM rrcm.run r
          JOIN rrcm.checkpoint c ON c.checkpoint_digest = r.checkpoint_digest AND c.configuration = $1::jsonb
          JOIN rrcm.item i ON i.run_id = r.run_id
          JOIN rrcm.chunk_count k ON k.item_id = i.item_id AND k.worker_id = w.worker_id AND k.phase = 1
         WHERE r.kind = 'certify'
         LIMIT 500
      ) AS chunk
  ) AS measured ON true
 WHERE w.state = 'live'
 ORDER BY w.name
