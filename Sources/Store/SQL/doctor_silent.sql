-- name: doctor_silent
-- Workers that nobody has declared gone although they have been silent for more than $1 seconds.
SELECT name,
       host,
       extract(epoch FROM now() - beat_at)::double precision AS seconds
  FROM rrcm.worker
 WHERE state <> 'gone'
   AND beat_at < now() - make_interval(secs => $1)
 ORDER BY beat_at
