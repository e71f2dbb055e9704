import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Starts DynamoDB Local on 127.0.0.1. DynamoDB Local itself listens on all interfaces and has no option to change that.
 * All machines of the network could then use the database without authentication.
 *
 * <p>The arguments are those of DynamoDB Local. If a later version has its web server elsewhere, the start fails, so that
 * the database never listens on all interfaces.
 */
public final class Loopback {
    public static void main(String[] args) throws Exception {
        DynamoDBProxyServer dynamodb = ServerRunner.createServerFromCommandLineArgs(args);
        for (Connector connector : webServer(dynamodb).getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        dynamodb.start();
        dynamodb.join();
    }

    /** Returns the web server. It finds the private field by its type, because the field's name may change. */
    private static Server webServer(DynamoDBProxyServer dynamodb) throws ReflectiveOperationException {
        for (Field field : dynamodb.getClass().getDeclaredFields()) {
            if (field.getType() == Server.class) {
                field.setAccessible(true);
                return (Server) field.get(dynamodb);
            }
        }
        throw new IllegalStateException("this DynamoDB Local has no Jetty server to bind to 127.0.0.1");
    }

    /**
     * Does nothing. LocalStack starts DynamoDB Local with a Java agent that raises the limit of 20 global indexes. That
     * agent is not in a package registry, so our jar replaces it.
     */
    public static void premain(String arguments) {}
}
