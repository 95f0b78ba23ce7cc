-- name: orphaned_leases
-- Leases whose holder is gone, has registered anew, or let the deadline pass.
SELECT l.lease_id,
       l.worker_id
  FROM rrcm.lease l
  JOIN rrcm.worker w USING (worker_id)
 WHERE w.state = 'gone'
    OR w.epoch <> l.epoch
    OR l.deadline_at < now()
