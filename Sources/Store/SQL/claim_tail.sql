-- name: claim_tail
-- Takes over part of what a slower worker holds of run $1, for worker ($2, $3) of numerics id $4 and $7 samples/s (null: an average one), when
-- nothing else is left: the unstarted end of a lease, so that both finish together, at most $5 units until $6 seconds from
-- now; or else, as a duplicate, what its holders would finish later than this worker does. Chunks have $8 samples. $9 is
-- the time to reckon with, in seconds since 1970; null is now. TailRules (Lifecycle) says the same in Swift.
WITH holder AS MATERIALIZED (
  SELECT w.worker_id,
         w.epoch
    FROM rrcm.worker w
   WHERE w.worker_id = $2
     AND w.epoch = $3
     AND w.state = 'live'
     AND w.quarantined_at IS NULL
), slow AS MATERIALIZED (
  SELECT l.lease_id,
         l.item_id,
         l.lo,
         l.hi,
         take.units
    FROM rrcm.lease l
    JOIN rrcm.item i USING (item_id)
    JOIN rrcm.run r USING (run_id)
    JOIN rrcm.worker w ON w.worker_id = l.worker_id
   CROSS JOIN LATERAL (
     SELECT l.hi - l.lo AS units,
            $8::double precision / coalesce($7::double precision, (
              SELECT avg(a.samples_per_second) FROM rrcm.worker a
               WHERE a.state = 'live' AND a.numerics_ids @> ARRAY[$4::text]
            )) AS own_seconds,
            extract(epoch FROM coalesce(to_timestamp($9::double precision), now()) - l.renewed_at)::double precision AS silence
   ) AS n
   CROSS JOIN LATERAL (
     -- A holder that has not measured its speed is expected to take as long again as it has taken.
     SELECT coalesce($8::double precision / nullif(w.samples_per_second, 0), 2 * n.silence / n.units) AS seconds
   ) AS h
   CROSS JOIN LATERAL (
     -- Silent for more than two chunks and two seconds: it hangs, or is gone and not yet missed.
     SELECT w.samples_per_second IS NOT NULL AND n.silence > 2 * h.seconds + 2 AS hangs,
            CASE WHEN h.seconds > 0 THEN least(n.units - 1, floor(n.silence / h.seconds)) ELSE n.units - 1 END AS begun
   ) AS s
   CROSS JOIN LATERAL (
     SELECT CASE WHEN s.hangs THEN 'Infinity' ELSE greatest(0, n.units * h.seconds - n.silence) END AS seconds_left,
            (n.units - 1 - CASE WHEN s.hangs THEN 0 ELSE s.begun END)::int AS unstarted,
            greatest(0, (s.begun + 1) * h.seconds - n.silence) AS in_hand
   ) AS t
   CROSS JOIN LATERAL (
     SELECT CASE
              WHEN t.unstarted = 0 THEN 0
              WHEN s.hangs THEN least(t.unstarted, $5::int)
              ELSE least(
                t.unstarted, $5::int, floor((t.unstarted * h.seconds + t.in_hand) / (h.seconds + n.own_seconds))::int)
            END AS units,
            -- With another computation of the same units under way, what counts is which is done first.
            least(t.seconds_left, (
              SELECT min(CASE
                           WHEN d.worker_id = $2 THEN 0
                           ELSE greatest(0, (d.hi - d.lo) * $8 / nullif(dw.samples_per_second, 0)
                                         - extract(epoch FROM coalesce(to_timestamp($9::double precision), now())
                                                   - d.renewed_at)::double precision)
                         END)
                FROM rrcm.lease d
                JOIN rrcm.worker dw ON dw.worker_id = d.worker_id
               WHERE d.item_id = l.item_id
                 AND d.duplicate
                 AND d.lo < l.hi
                 AND d.hi > l.lo
            )) AS seconds_left
   ) AS take
   WHERE i.run_id = $1
     AND r.state = 'running'
     AND r.paused_at IS NULL
     AND i.state IN ('open', 'claimed')
     AND coalesce(i.numerics_id, $4) = $4
     AND NOT l.duplicate
     AND l.worker_id <> $2
     AND EXISTS (SELECT FROM holder)
     AND CASE
           WHEN t.unstarted > 0 THEN
             take.units > 0
             AND NOT EXISTS (SELECT FROM rrcm.lease d
                              WHERE d.item_id = l.item_id AND d.duplicate AND d.lo < l.hi AND d.hi > l.lo)
           ELSE take.seconds_left > 0.25 AND n.units * n.own_seconds < 0.8 * take.seconds_left
         END
   ORDER BY take.seconds_left DESC, l.lease_id
   LIMIT 1
     FOR UPDATE OF l SKIP LOCKED
), shortened AS (
  UPDATE rrcm.lease l
     SET hi = l.hi - slow.units
    FROM slow
   WHERE l.lease_id = slow.lease_id
     AND slow.units > 0
), leased AS (
  INSERT INTO rrcm.lease (item_id, lo, hi, worker_id, epoch, deadline_at, duplicate)
  SELECT slow.item_id,
         CASE WHEN slow.units > 0 THEN slow.hi - slow.units ELSE slow.lo END,
         slow.hi,
         holder.worker_id,
         holder.epoch,
         now() + make_interval(secs => $6),
         slow.units = 0
    FROM slow
   CROSS JOIN holder
  RETURNING lease_id, item_id, lo, hi, duplicate
)
SELECT leased.lease_id,
       leased.item_id,
       leased.lo,
       leased.hi,
       leased.duplicate,
       i.image_index,
       i.sigma::text AS sigma,
       false AS alone
  FROM leased
  JOIN rrcm.item i USING (item_id)
