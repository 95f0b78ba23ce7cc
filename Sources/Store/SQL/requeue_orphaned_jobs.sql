-- name: requeue_orphaned_jobs
-- Training jobs whose holder is gone, has registered anew, or made no progress until the deadline: free to be resumed
-- from their last snapshot. Losing a job this way is not a failed attempt. A job whose row is locked is looked at the next
-- time: its holder writes, or froze in the middle.
WITH orphaned AS MATERIALIZED (
  SELECT j.job_id,
         w.worker_id
    FROM rrcm.job j
    JOIN rrcm.worker w USING (worker_id)
   WHERE j.state = 'running'
     AND (w.state = 'gone' OR w.epoch <> j.epoch OR j.deadline_at < now())
     FOR NO KEY UPDATE OF j SKIP LOCKED
)
UPDATE rrcm.job j
   SET state = 'queued',
       worker_id = NULL,
       epoch = NULL,
       deadline_at = NULL
  FROM orphaned
 WHERE j.job_id = orphaned.job_id
RETURNING j.run_id, orphaned.worker_id
