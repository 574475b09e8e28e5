-- Statistics and health look at the newest batches only, however long the log has become.
create index if not exists staging_process_log_completed on payment_service.staging_process_log (completed_at) where status = 'completed';
create index if not exists staging_process_log_started on payment_service.staging_process_log (started_at);
