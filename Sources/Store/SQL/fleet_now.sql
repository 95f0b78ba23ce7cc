-- name: fleet_now
-- What the whole fleet is doing, in a few numbers. Small tables only: asked every few seconds.
SELECT (SELECT count(*) FROM rrcm.worker WHERE state = 'live') AS live,
       (SELECT count(*) FROM rrcm.worker WHERE state = 'draining') AS draining,
       (SELECT sum(samples_per_second) FROM rrcm.worker WHERE state <> 'gone') AS samples_per_second,
       (SELECT count(*) FROM rrcm.lease) AS leases,
       (SELECT count(*) FROM rrcm.disagreement) AS disagreements
