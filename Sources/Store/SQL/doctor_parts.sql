-- name: doctor_parts
-- What is unfinished, and which parts of the fleet are there to finish it. Coordinators and aggregators show as sessions;
-- behind a pooler those may hide.
SELECT (SELECT count(*) FROM rrcm.run WHERE finished_at IS NULL) AS unfinished,
       (SELECT count(*) FROM rrcm.run WHERE finished_at IS NULL AND kind = 'certify') AS certifying,
       (SELECT count(*) FROM rrcm.worker WHERE state = 'live') AS workers,
       (SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'rrcm coordinator') AS coordinators,
       (SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'rrcm aggregator') AS aggregators
