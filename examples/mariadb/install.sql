-- What an empty database begins with; ./replica puts the passwords in.

-- The server that runs this has not read its privileges yet.
FLUSH PRIVILEGES;

-- The servers among themselves, ./follow, ./promote and ./backup.
CREATE USER cluster@'%' IDENTIFIED BY '@CLUSTER_PASSWORD@';
GRANT ALL ON *.* TO cluster@'%';
CREATE USER cluster@localhost IDENTIFIED BY '@CLUSTER_PASSWORD@';
GRANT ALL ON *.* TO cluster@localhost;

-- The application.
CREATE DATABASE shop;
CREATE USER shop@'%' IDENTIFIED BY '@SHOP_PASSWORD@';
GRANT ALL ON shop.* TO shop@'%';
CREATE TABLE shop.orders (number BIGINT PRIMARY KEY, server INT NOT NULL);

-- The token of the latest primary that this server has heard of, and of the one that it follows. The row is the
-- server's own: every change of it is made with sql_log_bin = 0, so that it is not replicated.
CREATE DATABASE cluster;
CREATE TABLE cluster.term (id INT PRIMARY KEY, token BIGINT NOT NULL, followed BIGINT NOT NULL);
INSERT INTO cluster.term VALUES (1, 0, 0);
GRANT SELECT ON cluster.term TO shop@'%';

DELIMITER $$

-- Whoever holds the lock calls this, here and on the others, before it is primary: from now on this server
-- acknowledges nothing to a primary of an earlier token. The token is that of the lock.
CREATE DEFINER = cluster@'%' PROCEDURE cluster.fence(IN given BIGINT)
BEGIN
  DO GET_LOCK('cluster', 60);
  SET SESSION sql_log_bin = 0;
  IF given < (SELECT token FROM cluster.term) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a later primary was here';
  END IF;
  UPDATE cluster.term SET token = given;
  STOP SLAVE IO_THREAD;
  DO RELEASE_LOCK('cluster');
END$$

-- Follow a primary, if it is not an earlier one than was here last.
CREATE DEFINER = cluster@'%' PROCEDURE cluster.follow(IN given BIGINT, IN host VARCHAR(255), IN port INT, IN password VARCHAR(255))
BEGIN
  DO GET_LOCK('cluster', 60);
  SET SESSION sql_log_bin = 0;
  IF given < (SELECT token FROM cluster.term) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a later primary was here';
  END IF;
  UPDATE cluster.term SET token = given, followed = given;
  STOP SLAVE;
  -- Demote: what it wrote when it was primary itself counts as read.
  EXECUTE IMMEDIATE CONCAT('CHANGE MASTER TO MASTER_HOST = ', QUOTE(host), ', MASTER_PORT = ', port,
    ', MASTER_USER = ''cluster'', MASTER_PASSWORD = ', QUOTE(password), ', MASTER_CONNECT_RETRY = 1,',
    ' MASTER_USE_GTID = slave_pos, MASTER_DEMOTE_TO_SLAVE = 1');
  START SLAVE;
  DO RELEASE_LOCK('cluster');
END$$

DELIMITER ;
