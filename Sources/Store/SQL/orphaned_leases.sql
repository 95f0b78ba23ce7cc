-- name: orphaned_leases
-- Leases whose holder is gone, has registered anew, or let the deadline pass; and those of paused runs that were claimed
-- just when it was paused.
SELECT l.lease_id,
       l.worker_id
  FROM rrcm.lease l
  JOIN rrcm.worker w USING (worker_id)
  JOIN rrcm.item i USING (item_id)
  JOIN rrcm.run r USING (run_id)
 WHERE w.state = 'gone'
    OR w.epoch <> l.epoch
    OR l.deadline_at < now()
    OR r.paused_at IS NOT NULL
