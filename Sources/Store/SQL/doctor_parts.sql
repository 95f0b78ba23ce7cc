-- name: doctor_parts
-- What is unfinished, and which parts of the fleet are there to finish it: those that gave a sign of life within $1
-- seconds.
SELECT (SELECT count(*) FROM rrcm.run WHERE finished_at IS NULL) AS unfinished,
       (SELECT count(*) FROM rrcm.run WHERE finished_at IS NULL AND kind = 'certify') AS certifying,
       (SELECT count(*) FROM rrcm.worker WHERE state = 'live') AS workers,
       (SELECT count(*) FROM rrcm.part_health WHERE kind = 'coordinator' AND silent_seconds < $1) AS coordinators,
       (SELECT count(*) FROM rrcm.part_health WHERE kind = 'aggregator' AND silent_seconds < $1) AS aggregators,
       (SELECT count(*) FROM rrcm.leadership WHERE deadline_at > now() - make_interval(secs => $1)) AS leaders
