-- By which a relation tells that the other user is deleted. It holds the few users who are leaving.
create index users_leaving_by_name on users (app_id, username) where leaving;
