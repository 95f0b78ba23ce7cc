-- name: requeue_orphaned_jobs
-- Training jobs whose holder is gone, has registered anew, or made no progress until the deadline: free to be resumed
-- from their last snapshot. Losing a job this way is not a failed attempt.
UPDATE rrcm.job j
   SET state = 'queued',
       worker_id = NULL,
       epoch = NULL,
       deadline_at = NULL
  FROM rrcm.worker w
 WHERE j.state = 'running'
   AND w.worker_id = j.worker_id
   AND (w.state = 'gone' OR w.epoch <> j.epoch OR j.deadline_at < now())
RETURNING j.run_id, w.worker_id
