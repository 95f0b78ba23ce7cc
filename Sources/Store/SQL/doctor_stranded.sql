-- name: doctor_stranded
-- Running runs whose numerics ids no live worker has shown to compute, though workers live.
SELECT q.name,
       r.numerics_ids,
       ARRAY(SELECT DISTINCT id FROM rrcm.worker w, unnest(w.numerics_ids) AS id WHERE w.state = 'live' ORDER BY id)
         AS live_ids
  FROM rrcm.queue_depth q
  JOIN rrcm.run r USING (run_id)
 WHERE (q.stranded AND r.numerics_ids <> '{}'
        OR EXISTS (SELECT FROM rrcm.stranded_item s WHERE s.run_id = q.run_id AND s.pinned))
   AND q.ready + q.leased > 0
   AND EXISTS (SELECT FROM rrcm.worker w WHERE w.state = 'live')
 ORDER BY q.run_id
