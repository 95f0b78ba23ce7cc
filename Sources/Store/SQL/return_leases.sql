-- name: return_leases
-- Ends the given leases and puts their units without votes back into the queue, as contiguous gaps. A duplicate of one of
-- them takes its place instead; ending a duplicate makes no gap. Returns the number of leases and of gaps.
SELECT leases, gaps
  FROM rrcm.return_leases($1)
